"""Schedules against closed forms and optax, update rules against NumPy written from the papers."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from scaling_laws import hyper, optim, parametrization
from scaling_laws.config import ModelConfig, RunConfig, replace


def numbers(**changes):
    run = replace(RunConfig(), {f"optimizer.{k}": v for k, v in changes.items() if k != "steps"})
    return hyper.hyperparameters(replace(run, {"train.steps": changes.get("steps", 100)}))


def rates(schedule, steps, **changes):
    given = numbers(steps=steps, **changes)
    return np.array([hyper.learning_rate(schedule, s, given) for s in range(steps + 1)])


def test_constant_after_warmup():
    seen = rates("constant", 20, learning_rate=0.5, warmup=0.25)
    np.testing.assert_allclose(seen, 0.5 * np.minimum(1, (np.arange(21) + 1) / 5), rtol=1e-6)


def test_cosine_is_optax_one_step_into_its_warmup():
    steps, warm, peak, final = 200, 20, 3e-3, 0.1
    theirs = optax.cosine_decay_schedule(peak, steps - warm, alpha=final)
    seen = rates("cosine", steps, learning_rate=peak, warmup=warm / steps, final_lr=final)
    np.testing.assert_allclose(seen[warm:], [theirs(s) for s in range(steps - warm + 1)], rtol=2e-5)
    np.testing.assert_allclose(seen[:warm], peak * (np.arange(warm) + 1) / warm, rtol=2e-3)


def test_cosine_ends_at_the_horizon_and_not_before():
    seen = rates("cosine", 64, learning_rate=1.0, warmup=0.0)
    assert seen[64] == pytest.approx(0, abs=1e-7)
    assert seen[63] == pytest.approx(0.5 * (1 + np.cos(np.pi * 63 / 64)), rel=1e-3)
    assert seen[32] == pytest.approx(0.5, rel=1e-5)


def test_wsd_is_flat_then_falls_by_one_minus_root():
    seen = rates("wsd", 100, learning_rate=2.0, warmup=0.1, cooldown=0.2)
    np.testing.assert_allclose(seen[10:81], 2.0, rtol=1e-6)
    np.testing.assert_allclose(seen[80:], 2.0 * (1 - np.sqrt(np.arange(21) / 20)), rtol=1e-5, atol=1e-5)


@pytest.fixture
def tensors():
    rng = np.random.default_rng(0)
    params = {
        "embedding": rng.normal(size=(5, 4)),
        "block_0": {"mlp": {"up": rng.normal(size=(4, 8))}, "mlp_norm": {"scale": rng.normal(size=4)}},
    }
    draw = lambda: jax.tree.map(lambda p: rng.normal(size=p.shape).astype(np.float32), params)  # noqa: E731
    return jax.tree.map(np.float32, params), [draw() for _ in range(5)]


def updated(config, numbers, params, gradients, rules=None):
    rules = rules or parametrization.rules(parametrization.Scheme(), ModelConfig())
    transform = optim.optimizer(config, optim.multipliers(rules, params), numbers)
    state = transform.init(params)
    for gradient in gradients:
        updates, state = transform.update(gradient, state, params)
        params = optax.apply_updates(params, updates)
    return params


def adamw_by_hand(param, gradients, numbers, decay, step_rates):
    m = v = np.zeros_like(param, dtype=np.float64)
    param = param.astype(np.float64)
    for t, (g, rate) in enumerate(zip(gradients, step_rates, strict=True), start=1):
        g = g.astype(np.float64)
        m = numbers["beta1"] * m + (1 - numbers["beta1"]) * g
        v = numbers["beta2"] * v + (1 - numbers["beta2"]) * g * g
        direction = m / (1 - numbers["beta1"] ** t) / (np.sqrt(v / (1 - numbers["beta2"] ** t)) + numbers["epsilon"])
        param = param - rate * (direction + decay * param)
    return param


@pytest.mark.parametrize("clip", [0.0, 0.7])
def test_adamw_equals_the_paper_and_spares_norms(tensors, clip):
    params, gradients = tensors
    config = replace(RunConfig(), {"optimizer.weight_decay": 0.3}).optimizer
    given = numbers(weight_decay=0.3, clip_norm=clip, learning_rate=0.02, schedule="constant", warmup=0.0)
    config = replace(RunConfig(), {"optimizer.schedule": "constant"}).optimizer
    seen = updated(config, given, params, gradients)
    if clip:
        norms = [np.sqrt(sum((leaf.astype(np.float64) ** 2).sum() for leaf in jax.tree.leaves(g))) for g in gradients]
        gradients = [
            jax.tree.map(lambda leaf, n=n: leaf * min(1, clip / n), g) for g, n in zip(gradients, norms, strict=True)
        ]
    for path, decay in ((("embedding",), 0.3), (("block_0", "mlp", "up"), 0.3), (("block_0", "mlp_norm", "scale"), 0)):
        pick = lambda tree, path=path: [tree := tree[name] for name in path][-1]  # noqa: E731
        by_hand = adamw_by_hand(pick(params), [pick(g) for g in gradients], given, decay, [0.02] * 5)
        np.testing.assert_allclose(pick(seen), by_hand, rtol=2e-5, atol=1e-6)


WIDE = parametrization.rules(parametrization.Scheme("completep", 16, 1), ModelConfig(width=64, depth=2))


def test_adam_takes_rate_decay_and_epsilon_of_each_tensor_from_the_table(tensors):
    params, gradients = tensors
    config = replace(RunConfig(), {"optimizer.schedule": "constant"}).optimizer
    given = numbers(weight_decay=0.3, clip_norm=0.0, learning_rate=0.02, warmup=0.0, epsilon=0.5)
    seen = updated(config, given, params, gradients, WIDE)
    for path in (("embedding",), ("block_0", "mlp", "up"), ("block_0", "mlp_norm", "scale")):
        rule, pick = WIDE.for_path(path), lambda tree, path=path: [tree := tree[name] for name in path][-1]
        own = given | {"epsilon": 0.5 * rule.epsilon}
        rates = [0.02 * rule.learning_rate] * 5
        by_hand = adamw_by_hand(pick(params), [pick(g) for g in gradients], own, 0.3 * rule.weight_decay, rates)
        np.testing.assert_allclose(pick(seen), by_hand, rtol=2e-5, atol=1e-6)
    assert WIDE.hidden.epsilon != WIDE.embedding.epsilon != 1


@pytest.mark.parametrize("rate", [0.02, 0.04, 0.0])
def test_independent_decay_follows_the_schedule_and_not_the_rate(tensors, rate):
    params, _ = tensors
    config = replace(RunConfig(), {"optimizer.schedule": "wsd", "optimizer.independent_decay": True}).optimizer
    still = [jax.tree.map(np.zeros_like, params)] * 5
    given = numbers(weight_decay=0.01, learning_rate=rate, warmup=0.0, cooldown=0.4, steps=5)
    rules = parametrization.rules(parametrization.Scheme("mup", 16, independent_decay=True), ModelConfig(width=64))
    seen = updated(config, given, params, still, rules)
    shares = [1, 1, 1, 1, 1 - np.sqrt(0.5)] if rate else [0] * 5
    kept = np.prod([1 - 0.01 * share for share in shares])
    for pick in (lambda tree: tree["embedding"], lambda tree: tree["block_0"]["mlp"]["up"]):
        np.testing.assert_allclose(pick(seen), kept * pick(params), rtol=1e-5)
    np.testing.assert_array_equal(seen["block_0"]["mlp_norm"]["scale"], params["block_0"]["mlp_norm"]["scale"])


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_with_momentum(tensors, nesterov):
    params, gradients = tensors
    changes = {"optimizer.name": "sgd", "optimizer.nesterov": nesterov, "optimizer.schedule": "constant"}
    given = numbers(learning_rate=0.1, momentum=0.8, clip_norm=0.0, warmup=0.0)
    seen = updated(replace(RunConfig(), changes).optimizer, given, params, gradients)
    w, velocity = params["embedding"].astype(np.float64), 0.0
    for gradient in gradients:
        velocity = 0.8 * velocity + gradient["embedding"]
        w = w - 0.1 * (gradient["embedding"] + 0.8 * velocity if nesterov else velocity)
    np.testing.assert_allclose(seen["embedding"], w, rtol=2e-5, atol=1e-6)


def test_numbers_are_arguments_of_one_program(tensors):
    params, gradients = tensors
    traces = []

    @jax.jit
    def once(numbers, params, gradient):
        traces.append(1)
        return updated(RunConfig().optimizer, numbers, params, [gradient])

    for rate in (1e-3, 1e-2):
        for steps in (10, 20):
            once(numbers(learning_rate=rate, steps=steps, beta2=0.9), params, gradients[0])
    assert len(traces) == 1
    fast, slow = (once(numbers(learning_rate=r, warmup=0.0), params, gradients[0])["embedding"] for r in (1e-2, 1e-3))
    moved = [float(jnp.abs(p - params["embedding"]).max()) for p in (fast, slow)]
    assert moved[0] == pytest.approx(10 * moved[1], rel=1e-2)
