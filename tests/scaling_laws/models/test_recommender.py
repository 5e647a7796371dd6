"""The recommender against plain NumPy, and matrix factorisation against the singular value decomposition."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from example_models import ACTIVATIONS, PAIRS, built, drawn, examples, in_float64, initial, loss, outputs
from shapes import quick_jit

from scaling_laws.config import ModelConfig
from scaling_laws.spec import Spec


def configured(**changes):
    return ModelConfig(**({"family": "recommender", "width": 5, "depth": 0} | changes))


def reference(model, params, pairs):
    """(B, 1): pair after pair in float64."""
    params, found = in_float64(params), []
    for user, item in np.asarray(pairs):
        vectors = {"user": params["user_table"][user], "item": params["item_table"][item]}
        for index in range(model.depth):
            for side in vectors:
                layer, x = params[f"block_{index}"][side], vectors[side]
                vectors[side] = x + ACTIVATIONS[model.activation](x @ layer["residual"] + layer.get("bias", 0))
        rating = vectors["user"] @ vectors["item"]
        if model.bias:
            rating += params["user_bias"][user] + params["item_bias"][item] + params["head_bias"][0]
        found.append(rating)
    return np.array(found)[:, None]


@pytest.mark.parametrize("depth, activation", [(0, "relu"), (1, "relu"), (3, "tanh")])
@pytest.mark.parametrize("bias", [True, False])
def test_ratings_equal_plain_numpy_towers(depth, activation, bias):
    model = configured(depth=depth, activation=activation, bias=bias)
    params, pairs = drawn(model, PAIRS), examples(PAIRS, 8)
    got = outputs(model, PAIRS, params, pairs)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, reference(model, params, pairs), rtol=0, atol=2e-5)


def test_only_rows_that_are_seen_have_a_gradient():
    model = configured(depth=1)
    pairs = jnp.array([[2, 4], [2, 1]])
    gradient = quick_jit(jax.grad(lambda params: loss(model, PAIRS, params, pairs)))(drawn(model, PAIRS))
    for side, seen in (("user", [2]), ("item", [1, 4])):
        for what in ("table", "bias"):
            sizes = np.abs(np.asarray(gradient[f"{side}_{what}"]).reshape(PAIRS.sizes[side == "item"], -1)).sum(axis=1)
            assert np.flatnonzero(sizes).tolist() == seen


def test_ratings_start_at_a_tenth_at_every_width():
    spec = Spec("pair", (2,), 1, "squared_error", sizes=(400, 300))
    sizes = [outputs(model, spec, initial(model, spec), examples(spec, 4000)).std()
             for model in (configured(width=width) for width in (4, 64))]  # fmt: skip
    np.testing.assert_allclose(sizes, 0.1, rtol=0.15)


def test_half_precision_is_that_of_the_products_alone():
    pairs = examples(PAIRS, 8)
    single, half = configured(depth=1), configured(depth=1, dtype="bfloat16")
    params = drawn(single, PAIRS)
    want = outputs(single, PAIRS, params, pairs)
    assert 1e-4 < np.abs(outputs(half, PAIRS, params, pairs) - want).max() / np.abs(want).max() < 0.05


def test_trained_on_every_cell_it_is_the_truncated_singular_value_decomposition():
    """Eckart and Young 1936: no matrix of rank w is nearer than the first w terms of the decomposition."""
    ratings = np.random.default_rng(5).standard_normal(PAIRS.sizes)
    pairs = jnp.asarray(np.argwhere(np.ones(PAIRS.sizes)), jnp.int32)
    model = configured(width=2, bias=False)
    adam = optax.adam(optax.cosine_decay_schedule(0.05, 1500))

    def distance(params):
        found = built(model, PAIRS).apply({"params": params}, pairs)[:, 0]
        return jnp.square(found - ratings.astype(np.float32).ravel()).sum()

    def step(carry, _):
        params, opt_state = carry
        updates, opt_state = adam.update(jax.grad(distance)(params), opt_state)
        return (optax.apply_updates(params, updates), opt_state), None

    params = initial(model, PAIRS)
    (params, _), _ = jax.jit(lambda carry: jax.lax.scan(step, carry, length=1500))((params, adam.init(params)))
    values = np.linalg.svd(ratings, compute_uv=False)
    assert float(distance(params)) == pytest.approx(np.square(values[2:]).sum(), rel=1e-3)
