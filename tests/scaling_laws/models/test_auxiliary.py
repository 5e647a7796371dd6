"""The second head against its definition, and that nothing but what is minimised hears of it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from example_models import CLASSES, PICTURES
from shapes import quick_jit

from scaling_laws import families, hyper, parametrization, spec, validation
from scaling_laws.config import ConfigError, RunConfig, form, replace
from scaling_laws.models.auxiliary import AUXILIARY, auxiliary
from scaling_laws.models.build import build
from scaling_laws.models.layers import ACTIVATIONS
from scaling_laws.models.traced import product_flops
from scaling_laws.train import state
from scaling_laws.train.reading import blank
from scaling_laws.train.shape import Shape
from scaling_laws.train.step import Step

CONTEXT, BATCH, WEIGHT = 7, 4, 0.7
TEXT = spec.text(256, CONTEXT)
TOKENS = {"tokens": np.random.default_rng(3).integers(0, 256, 300).astype(np.uint8)}
TINY = {"model.width": 8, "model.depth": 1, "model.head_dim": 4, "model.patch": 2, "train.accumulation": 1}
TINY |= {"train.batch_size": BATCH, "train.steps_per_dispatch": 2, "train.steps": 2, "optimizer.clip_norm": 0.0}
FORMS = {
    "text": (TEXT, {"model.auxiliary": "next", "model.patch": 4}),
    "tied": (TEXT, {"model.auxiliary": "next", "model.patch": 4, "model.tie_embeddings": True}),
    "mlp": (CLASSES, {"model.family": "mlp", "model.auxiliary": "inputs"}),
    "vit": (PICTURES, {"model.family": "vit", "model.auxiliary": "inputs"}),
    "convnet": (PICTURES, {"model.family": "convnet", "model.auxiliary": "inputs"}),
}


def run_of(name, **changes):
    own = {"model." + key: value for key, value in changes.items() if key != "weight"}
    weight = {"train.auxiliary_weight": changes["weight"]} if "weight" in changes else {}
    return replace(RunConfig(), TINY | FORMS[name][1] | own | weight)


def batch(name):
    """(data, places, inputs, targets)."""
    if name in ("text", "tied"):
        starts = np.array([3, 40, 200, 77])
        windows = TOKENS["tokens"][starts[:, None] + np.arange(CONTEXT + 1)].astype(int)
        return TOKENS, starts, windows[:, :-1], windows[:, 1:]
    inputs = np.random.default_rng(1).normal(size=(BATCH, *FORMS[name][0].shape)).astype(np.float32)
    targets = np.arange(BATCH) % 2
    return {"inputs": inputs, "targets": targets}, np.arange(BATCH), inputs, targets


@functools.cache
def module_of(name):
    run, form = run_of(name), FORMS[name][0]
    return build(run.model, form, parametrization.rules(parametrization.Scheme.of(run), run.model))


def forward(name, params, collections=(AUXILIARY,)):
    _, _, inputs, targets = batch(name)
    arguments = (inputs, targets) if name in ("text", "tied") else (inputs,)
    return module_of(name).apply({"params": params}, *arguments, mutable=list(collections))


@pytest.mark.parametrize("name", FORMS)
def test_counts_are_those_of_both_heads(name):
    form = FORMS[name][0]
    counts, plain = (
        families.count(run_of(name, auxiliary=kind).model, form) for kind in (FORMS[name][1]["model.auxiliary"], "none")
    )
    params = jax.eval_shape(module_of(name).init, jax.random.key(0), blank(form))["params"]
    assert counts.n_params == sum(leaf.size for leaf in jax.tree.leaves(params))
    assert counts.n_non_embedding == plain.n_non_embedding
    assert counts.n_params - plain.n_params == params["auxiliary_head"].size

    def both(params):
        found, sown = forward(name, params)
        return found.mean() + auxiliary(sown)

    examples_each = BATCH * form.targets
    assert product_flops(both, params) == counts.forward * examples_each
    assert product_flops(jax.value_and_grad(both), params) == counts.flops_per_token * examples_each
    alone = product_flops(jax.value_and_grad(lambda params: forward(name, params, ())[0].mean()), params)
    assert alone == plain.flops_per_token * examples_each


def stepped(name, **changes):
    run = run_of(name, **changes)
    step = Step(Shape.of(run, FORMS[name][0]))
    template = step.abstract_state()
    return step, state.tree(template, state.initial(state.named(template), step.rules, 0)), hyper.hyperparameters(run)


def by_hand(name, params):
    """The second head's loss, place by place or pixel by pixel, from what the last norm gives."""
    _, _, inputs, targets = batch(name)
    seen = forward(name, params, (ACTIVATIONS,))[1][ACTIVATIONS]
    multiplier = module_of(name).rules.forward.logits
    if name == "mlp":
        x_BxD = np.asarray(seen["embedded"][0], float)  # of depth 1 there is no other layer
        return np.mean((multiplier * x_BxD @ np.asarray(params["auxiliary_head"]) - inputs) ** 2)
    x_BxLxD, losses = np.asarray(seen["normalised"][0], float), []
    for window in range(BATCH):
        for place in range(CONTEXT - 2):
            scores = multiplier * x_BxLxD[window, place] @ np.asarray(params["auxiliary_head"])
            losses.append(np.log(np.exp(scores).sum()) - scores[targets[window, place + 1]])
    return np.mean(losses)


@pytest.mark.parametrize("name", ["text", "mlp"])
def test_what_is_minimised_has_its_loss_and_what_is_reported_has_not(name):
    step, first, numbers = stepped(name, weight=WEIGHT)
    data, starts, *_ = batch(name)
    found, sown = quick_jit(lambda params: forward(name, params))(first["params"])
    assert float(auxiliary(sown)) == pytest.approx(by_hand(name, first["params"]), rel=1e-5)
    objective = quick_jit(jax.grad(step.objective, has_aux=True))
    slopes, loss = objective(first["params"], numbers, data, starts, 0)
    held_out = quick_jit(step.losses_B)(first["params"], numbers, data, starts)
    assert float(loss) == pytest.approx(float(held_out.mean()), rel=1e-6)
    if name == "text":
        assert float(loss) == pytest.approx(float(found.mean()), rel=1e-6)
    second = quick_jit(jax.grad(lambda params: auxiliary(forward(name, params)[1])))(first["params"])
    without, _ = objective(first["params"], numbers | {"auxiliary_weight": np.float32(0)}, data, starts, 0)
    wanted = jax.tree.map(lambda own, more: own + WEIGHT * more, without, second)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-6), slopes, wanted)
    assert float(jnp.abs(second["auxiliary_head"]).max()) > 1e-3


@pytest.mark.parametrize("name", ["text", "mlp"])
def test_at_weight_zero_all_else_is_bitwise_the_baselines(name):
    data, starts, *_ = batch(name)
    starts_KxB = np.stack([starts, starts[::-1]])

    def trained(**changes):
        step, first, numbers = stepped(name, **changes)
        after, losses, *_ = jax.jit(step.advance)(first, numbers, data, starts_KxB, 2, True)
        return state.named(first["params"]), state.named(after["params"]), losses

    plain, other = trained(auxiliary="none"), trained(weight=0.0)
    for before, after in zip(plain[:2], other[:2], strict=True):
        assert after.keys() - before.keys() == {"auxiliary_head"}
        for leaf in before:
            assert np.asarray(before[leaf]).tobytes() == np.asarray(after[leaf]).tobytes(), leaf
    assert np.asarray(plain[2]).tobytes() == np.asarray(other[2]).tobytes()
    assert any((plain[0][leaf] != plain[1][leaf]).any() for leaf in plain[0])


def test_its_weight_is_a_number_of_one_program():
    runs = [run_of("mlp", weight=weight) for weight in (0.1, 1.0)]
    assert len({Shape.of(run, CLASSES) for run in runs}) == len({form(run) for run in runs}) == 1


@pytest.mark.parametrize("changes, spec, said", [
    ({"family": "mlp", "auxiliary": "next"}, CLASSES, r"model\.auxiliary: next; allowed: none, or inputs"),
    ({"auxiliary": "inputs"}, TEXT, r"model\.auxiliary: inputs; allowed: none, or next"),
    ({"family": "mlp", "depth": 0, "auxiliary": "inputs"}, CLASSES, r"model\.auxiliary: inputs; .* model\.depth=0"),
])  # fmt: skip
def test_what_has_nothing_to_predict_is_refused(changes, spec, said):
    run = replace(RunConfig(), {"model." + name: value for name, value in changes.items()})
    with pytest.raises(ConfigError, match=said):
        families.count(run.model, spec)


def test_a_weight_of_nothing_is_refused():
    with pytest.raises(ConfigError, match=r"train\.auxiliary_weight: 0.5; allowed: 0.3 with model\.auxiliary=none"):
        validation.validate_run(replace(RunConfig(), {"train.auxiliary_weight": 0.5}))
