import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from shapes import (
    CONTEXT,
    VOCAB,
    built,
    configured,
    drawn,
    initial,
    logits,
    loss,
    quick_jit,
    reference,
    same,
    slopes,
    stacked,
)
from shapes import tokens as tokens_of

from scaling_laws import parametrization, spec
from scaling_laws.models.build import build

OPTIONS = [
    {"norm": norm, "positions": positions, "mlp": mlp, "qk_norm": positions == "learned"}
    for (norm, mlp), positions in itertools.product((("rms", "gelu"), ("layer", "swiglu")), ("rotary", "learned"))
]


@pytest.mark.parametrize("options", [*OPTIONS, {"tie_embeddings": True, "mlp_ratio": 2.6, "n_heads": 1}])
def test_logits_equal_a_plain_numpy_transformer(options):
    model = configured(**options)
    params, batch = drawn(model), tokens_of()
    got = logits(model, params, batch)
    assert got.dtype == np.float32
    want = np.stack([reference(model, params, sequence) for sequence in batch])
    np.testing.assert_allclose(got, want, rtol=0, atol=2e-5 * np.abs(want).max())


@pytest.mark.parametrize("options", [*OPTIONS, {"layers": "scanned", "remat": True}])
def test_no_gradient_flows_from_a_later_position(options):
    model = configured(**options)
    params = drawn(model)
    sequence = jnp.arange(CONTEXT)  # every token once: the row of token s is the input at position s
    weights = np.random.default_rng(3).normal(size=VOCAB)

    def outputs(table):
        return built(model).apply({"params": params | {"embedding": table}}, sequence[None])[0] @ weights

    sizes = np.abs(quick_jit(jax.jacrev(outputs))(params["embedding"])[:, :CONTEXT]).max(-1)
    seen = np.tril(np.ones((CONTEXT, CONTEXT), bool))
    assert (sizes[~seen] == 0).all()
    assert (sizes[seen] > 0).all()


def test_a_shorter_window_gives_the_same_logits_and_a_longer_one_is_refused():
    model = configured(positions="learned")
    params, batch = drawn(model), tokens_of()
    whole = logits(model, params, batch)
    np.testing.assert_allclose(logits(model, params, batch[:, :5]), whole[:, :5], atol=1e-5)
    with pytest.raises(ValueError, match=f"{CONTEXT + 1} tokens a window; allowed: at most {CONTEXT}"):
        logits(model, params, tokens_of(1, CONTEXT + 1))


def test_scanned_and_rematerialised_equal_unrolled_and_stored():
    plain = configured(mlp="swiglu", norm="layer", qk_norm=True)
    params, batch = drawn(plain), tokens_of()
    want, plain_slopes = slopes(plain, params, batch)
    for layers, remat in (("unrolled", True), ("scanned", False), ("scanned", True)):
        layout = stacked if layers == "scanned" else dict
        model = dataclasses.replace(plain, layers=layers, remat=remat)
        got, model_slopes = slopes(model, layout(params), batch)
        assert got == pytest.approx(want, rel=1e-6)
        same(model_slopes, layout(plain_slopes), 2e-6)


@pytest.mark.parametrize("options", [{}, {"tie_embeddings": True, "layers": "scanned"}])
def test_bfloat16_is_close_to_float32(options):
    single, half = configured(**options), configured(dtype="bfloat16", **options)
    params, batch = drawn(half), tokens_of()
    want, got = logits(single, params, batch), logits(half, params, batch)
    difference = np.abs(got - want).max() / np.abs(want).max()
    assert 1e-4 < difference < 0.05  # eight bits of precision: seen, and not much worse


def test_bfloat16_products_on_float32_parameters():
    model = configured(dtype="bfloat16", positions="learned", norm="layer", qk_norm=True)
    params, batch = drawn(model), tokens_of()
    gradient = jax.make_jaxpr(jax.grad(lambda p: loss(model, p, batch)))(params)
    assert {leaf.dtype for leaf in jax.tree.leaves(initial(model))} == {jnp.dtype("float32")}
    assert {aval.dtype for aval in gradient.out_avals} == {jnp.dtype("float32")}
    forward = jax.make_jaxpr(built(model).apply)({"params": params}, batch)
    products = [equation for equation in forward.jaxpr.eqns if equation.primitive.name == "dot_general"]
    assert len(products) == 2 * 6 + 1
    assert {operand.aval.dtype for product in products for operand in product.invars} == {jnp.dtype("bfloat16")}
    # The scores before their softmax and the logits come in float32.
    single = [product for product in products if product.outvars[0].aval.dtype == jnp.float32]
    assert [product.outvars[0].aval.shape[-1] for product in single] == [CONTEXT, CONTEXT, VOCAB]


def test_a_tied_head_is_the_embedding_itself():
    tied, free = configured(tie_embeddings=True), configured()
    params = drawn(tied)
    assert "head" not in params
    untied = {"embedding": 4 * params["embedding"], "head": params["embedding"].T}  # the lookup times sqrt(width)
    np.testing.assert_allclose(logits(tied, params, tokens_of()), logits(free, params | untied, tokens_of()), atol=1e-6)


@pytest.mark.parametrize("layers", ["unrolled", "scanned"])
def test_initial_values_have_the_moments_of_the_table(layers):
    model = configured(width=64, norm="layer", positions="learned", qk_norm=True, layers=layers)
    rules, params = parametrization.rules(parametrization.Scheme(), model), initial(model, 256, 64)
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        names, leaf = [entry.key for entry in path], np.asarray(leaf)
        rule = rules.for_path(names)
        std = rule.std(leaf.shape[-2] if leaf.ndim > 1 else 1)
        assert leaf.mean() == pytest.approx(rule.mean, abs=6 * std / np.sqrt(leaf.size)), names
        assert leaf.std() == pytest.approx(std, rel=0.06), names
    if layers == "scanned":
        up = params["blocks"]["mlp"]["up"]
        assert up.shape[0] == 2
        assert not np.array_equal(up[0], up[1])


@pytest.mark.parametrize("head_init, more", [("small", 0.0), ("fan_in", 0.5)])  # half the variance of the logits
def test_the_first_loss_is_that_of_a_guess_by_such_logits(head_init, more):
    models = [configured(width=width, depth=1, head_init=head_init) for width in (64, 96, 128, 160)]
    losses = [quick_jit(functools.partial(loss, model))(initial(model), tokens_of(8)) for model in models]
    assert np.mean(losses) == pytest.approx(np.log(VOCAB) + more, abs=0.15)


def test_forward_multipliers_reach_the_logits():
    model = configured()
    params, batch = drawn(model), tokens_of()
    rules = parametrization.rules(parametrization.Scheme(), model)

    def multiplied(**changes):
        changed = dataclasses.replace(rules, forward=dataclasses.replace(rules.forward, **changes))
        return quick_jit(build(model, spec.text(VOCAB, CONTEXT), changed).apply)({"params": params}, batch)

    def halved(*names):
        def halve(path, leaf):
            return leaf * (0.5 if path[-1].key in names else 1)

        return logits(model, jax.tree_util.tree_map_with_path(halve, params), batch)

    np.testing.assert_allclose(multiplied(logits=0.5), halved("head"), atol=1e-5)
    np.testing.assert_allclose(multiplied(embedding=0.5), halved("embedding"), atol=1e-5)
    np.testing.assert_allclose(multiplied(residual=0.5), halved("out", "down"), atol=1e-5)
    assert not np.allclose(multiplied(attention=0.1), logits(model, params, batch), atol=1e-2)
