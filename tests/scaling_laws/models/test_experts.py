"""The mixture of experts against one place after the other in NumPy, and what it must not see."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import shapes
from example_models import PICTURES, examples
from example_models import drawn as drawn_for
from example_models import outputs as outputs_of
from shapes import configured, drawn, logits, quick_jit

from scaling_laws import families, hyper, parametrization, spec
from scaling_laws.config import ConfigError, ModelConfig, RunConfig, form, identity, replace
from scaling_laws.families.transformer import expert_places
from scaling_laws.models import transformer
from scaling_laws.models.experts import BALANCE, Experts, balance, moved, routes
from scaling_laws.models.layers import WATCHED
from scaling_laws.train import state
from scaling_laws.train.shape import Shape
from scaling_laws.train.step import Step

B, L, D = 3, 11, 16


def one_by_one(model, params, x_LxD, multiplier=1.0):
    """(output (L, D), shares (L, E), chosen (L,), places taken) of a window, in float64."""
    places, taken, out = expert_places(model, len(x_LxD)), [0] * model.experts, np.zeros_like(x_LxD)
    shares, chosen = [], []
    for place, x in enumerate(x_LxD):
        weights = np.exp(multiplier * (x @ params["router"]))
        shares.append(weights / weights.sum())
        chosen.append(int(np.argmax(weights)))
        if taken[chosen[-1]] < places:
            taken[chosen[-1]] += 1
            own = {name: params[name][chosen[-1]] for name in ("up", "down")}
            out[place] = shares[-1].max() * shapes._mlp(model, own, x[None])[0]
    return out, np.array(shares), chosen, taken


def branch(model, multiplier=1.0, seed=0):
    """(module, parameters, inputs (B, L, D)) of a branch whose experts are chosen unevenly."""
    rules = parametrization.rules(parametrization.Scheme(), model)
    rules = dataclasses.replace(rules, forward=dataclasses.replace(rules.forward, logits=multiplier))
    module, generator = Experts(model, rules), np.random.default_rng(seed)
    forms = jax.eval_shape(module.init, jax.random.key(0), jax.ShapeDtypeStruct((1, L, D), "float32"))["params"]
    params = {name: generator.normal(size=leaf.shape) * D**-0.5 for name, leaf in forms.items()}
    x_BxLxD = generator.normal(size=(B, L, D)) + 0.5 * params["router"][:, 0]
    return module, params, x_BxLxD


def single(tree):
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, "float32"), tree)


CASES = [
    {"experts": 4},
    {"experts": 3, "capacity": 0.6, "mlp": "swiglu"},
    {"experts": 2, "capacity": 4.0},
    {"experts": 1},
]


@pytest.mark.parametrize("options", CASES)
def test_each_place_gets_what_its_expert_says_while_there_is_room(options):
    model = configured(**options)
    module, params, x_BxLxD = branch(model, multiplier=3.0)
    apply = quick_jit(functools.partial(module.apply, mutable=[BALANCE]))
    got, sown = apply({"params": single(params)}, single(x_BxLxD))
    found = [one_by_one(model, params, x_LxD, 3.0) for x_LxD in x_BxLxD]
    np.testing.assert_allclose(got, [out for out, *_ in found], atol=2e-5)
    dropped = sum(L - sum(taken) for *_, taken in found)
    assert (dropped > 0) == (expert_places(model, L) < L)
    wanted = np.mean([_imbalance(shares, chosen) for _, shares, chosen, _ in found])
    assert float(balance(sown)) == pytest.approx(wanted, rel=1e-5)


def _imbalance(shares_LxE, chosen_L):
    """Fedus et al. 2021, equations 4 to 6, of one window."""
    experts = shares_LxE.shape[1]
    return experts * sum(
        sum(one == expert for one in chosen_L) / L * shares_LxE[:, expert].mean() for expert in range(experts)
    )


def test_gradients_are_those_of_every_expert_at_every_place():
    """All experts everywhere, and those that a place was not sent to times 0: derivatives by JAX alone."""
    model = configured(experts=3, capacity=0.8)
    module, params, x_BxLxD = branch(model)
    kept_BxLxE = np.zeros((B, L, 3), np.float32)
    for window, x_LxD in enumerate(x_BxLxD):
        out_LxD, _, chosen, _ = one_by_one(model, params, x_LxD)
        kept_BxLxE[window, range(L), chosen] = np.abs(out_LxD).sum(axis=1) > 0
    assert 0 < kept_BxLxE.sum() < B * L

    def everywhere(params, x):
        shares = jax.nn.softmax(x @ params["router"])
        hidden = jax.nn.gelu(jnp.einsum("bld,edf->blef", x, params["up"]))
        out = jnp.einsum("blef,efd->bled", hidden, params["down"])
        return ((kept_BxLxE * shares)[..., None] * out).sum(axis=2)

    weights = jnp.asarray(np.random.default_rng(2).normal(size=(B, L, D)), "float32")
    found, wanted = (
        quick_jit(jax.grad(lambda p, x, f=f: (weights * f(p, x)).sum(), (0, 1)))(single(params), single(x_BxLxD))
        for f in (lambda p, x: module.apply({"params": p}, x), everywhere)
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), found, wanted)


def test_routes_are_each_others_inverse():
    chosen = jnp.asarray([[1, 1, 0, 1, 2, 1], [2, 2, 2, 2, 2, 2]])
    slots, places = routes(chosen, 3, 2)
    np.testing.assert_array_equal(slots, [[2, 3, 0, 6, 4, 6], [4, 5, 6, 6, 6, 6]])
    np.testing.assert_array_equal(places, [[2, 6, 0, 1, 4, 6], [6, 6, 6, 6, 0, 1]])
    x = jax.random.normal(jax.random.key(0), (2, 6, 3))
    there = moved(x, places, slots)
    np.testing.assert_array_equal(there[0], [x[0, 2], 0 * x[0, 0], x[0, 0], x[0, 1], x[0, 4], 0 * x[0, 0]])


@pytest.mark.parametrize("length, options, places", [
    (128, {"experts": 4}, 40), (7, {"experts": 4}, 3), (30, {"experts": 3, "capacity": 1.1}, 11),
    (5, {"experts": 1}, 5), (8, {"experts": 16, "capacity": 0.1}, 1), (8, {"experts": 2, "capacity": 50.0}, 8),
])  # fmt: skip
def test_capacity_is_rounded_up_and_never_more_than_there_is(length, options, places):
    assert expert_places(ModelConfig(**options), length) == places


def sure(params):
    """With routers that choose firmly, by more than rounding."""
    return jax.tree_util.tree_map_with_path(lambda path, leaf: leaf * (5 if path[-1].key == "router" else 1), params)


def test_neither_later_places_nor_other_windows_are_seen():
    model = configured(experts=3, capacity=0.7)
    params, batch = sure(drawn(model)), np.array(shapes.tokens(4))
    whole = logits(model, params, batch)
    later = batch.copy()
    later[:, 7:] = (later[:, 7:] + 5) % shapes.VOCAB
    changed = logits(model, params, later)
    np.testing.assert_array_equal(changed[:, :7], whole[:, :7])
    assert not np.allclose(changed[:, 7:], whole[:, 7:], atol=1e-2)
    np.testing.assert_allclose(logits(model, params, batch[1:2])[0], whole[1], atol=1e-5)


def test_scanned_experts_equal_unrolled_ones_and_rematerialised_ones():
    plain = configured(experts=3, mlp="swiglu")
    params, batch = sure(drawn(plain)), shapes.tokens()
    want = logits(plain, params, batch)
    scanned = dataclasses.replace(plain, layers="scanned", remat=True)
    np.testing.assert_allclose(logits(scanned, shapes.stacked(params), batch), want, atol=2e-5)


def test_a_vision_transformer_has_them_too():
    model = ModelConfig(family="vit", width=16, depth=1, head_dim=8, patch=2, experts=4)
    params, pictures = sure(drawn_for(model, PICTURES)), examples(PICTURES, 3)
    assert params["block_0"]["mlp"]["up"].shape == (4, 16, 64)
    alone = [outputs_of(model, PICTURES, params, picture[None])[0] for picture in pictures]
    np.testing.assert_allclose(outputs_of(model, PICTURES, params, pictures), alone, atol=1e-5)


def test_one_expert_is_active():
    counts = families.count(ModelConfig(width=32, depth=3, experts=5), spec.text(256, 128))
    dense = families.count(ModelConfig(width=32, depth=3), spec.text(256, 128))
    assert dense.n_active == dense.n_params
    assert counts.n_active == dense.n_params + 3 * 5 * 32
    assert counts.n_params == counts.n_active + 3 * 4 * 2 * 32 * 128
    assert counts.layer("mlp").forward / dense.layer("mlp").forward == 5 * 32 / 128  # of 128 places each takes 32


TINY = {"model.width": 8, "model.depth": 1, "model.head_dim": 4, "task.context": 16, "train.batch_size": 4}
TINY |= {"train.steps_per_dispatch": 3, "train.accumulation": 2, "train.steps": 3}
TEXT = {"tokens": np.random.default_rng(3).integers(0, 256, 500).astype(np.uint8)}


def step_of(**changes):
    run = replace(RunConfig(), TINY | {name.replace("__", "."): value for name, value in changes.items()})
    step = Step(Shape.of(run, spec.text(256, 16)))
    template = step.abstract_state()
    return step, state.tree(template, state.initial(state.named(template), step.rules, 0)), hyper.hyperparameters(run)


def test_through_the_path_of_experts_a_single_one_is_bitwise_the_branch(monkeypatch):
    """The same first values, for a tensor's depend on its name; and the same after three steps."""
    starts = np.arange(12, dtype=np.int32).reshape(3, 4) * 7

    def trained():
        step, first, numbers = step_of(optimizer__clip_norm=0.0)
        after, losses, *_ = jax.jit(step.advance)(first, numbers, TEXT, starts, 3, True)
        return state.named(first["params"]), state.named(after["params"]), losses

    first, after, losses = trained()
    monkeypatch.setattr(transformer, "Mlp", Experts)
    of_one = trained()
    assert {name for name in of_one[0] if name not in first} == {"block_0/mlp/router"}
    assert np.abs(after["block_0/mlp/up"] - first["block_0/mlp/up"]).max() > 1e-3
    for dense, routed in ((first, of_one[0]), (after, of_one[1])):
        for name, leaf in dense.items():
            assert np.asarray(leaf).tobytes() == np.asarray(routed[name]).tobytes(), name
    assert np.asarray(losses).tobytes() == np.asarray(of_one[2]).tobytes()


def test_what_is_minimised_has_the_balance_and_what_is_reported_has_not():
    weight, starts = 0.7, np.array([3, 40, 200, 77])
    step, first, numbers = step_of(model__experts=3, model__balance=weight)
    windows = TEXT["tokens"][starts[:, None] + np.arange(17)].astype(int)

    def both(params):
        found, sown = step.module.apply({"params": params}, windows[:, :-1], windows[:, 1:], mutable=[BALANCE])
        return found.mean() + weight * balance(sown), found.mean()

    (_, wanted), slopes = quick_jit(jax.value_and_grad(both, has_aux=True))(first["params"])
    objective = quick_jit(step._loss_and_gradients)  # in two parts
    loss, grads = objective(first["params"], numbers, TEXT, starts)
    assert float(loss) == pytest.approx(float(wanted), rel=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), grads, slopes)
    _, without = objective(first["params"], numbers | {"balance": np.float32(0)}, TEXT, starts)
    routers = [tree["block_0"]["mlp"]["router"] for tree in (grads, without)]
    assert not np.allclose(*routers, atol=1e-4)
    watching = functools.partial(step.module.apply, mutable=[WATCHED])
    assert BALANCE not in jax.eval_shape(watching, {"params": first["params"]}, windows[:, :-1])[1]


def test_its_weight_is_a_number_of_one_program():
    def shaped(weight):
        run = replace(RunConfig(), {"model.experts": 4, "model.balance": weight})
        return Shape.of(run, spec.text(256, 128)), form(run), identity(run, "x")

    (small, alike, one), (large, too, other) = shaped(0.01), shaped(1.0)
    assert (small, alike) == (large, too)
    assert one != other


@pytest.mark.parametrize("changes, said", [
    ({"capacity": 2.0}, r"model\.capacity: 2; allowed: 1.25 with model\.experts=1"),
    ({"family": "vit", "balance": 0.0}, r"model\.balance: 0; allowed: 0.01 with model\.experts=1"),
    ({"family": "mlp", "experts": 2}, r"model\.experts: 2; allowed: 1, for model\.family=mlp does not read it"),
])  # fmt: skip
def test_what_needs_experts_is_refused_without(changes, said):
    with pytest.raises(ConfigError, match=said):
        families.check(ModelConfig(**changes))
