"""The kernels of a CPU and their written-out derivatives, against float64 formulas in NumPy and JAX's derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling_laws.models import kernels


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def pulled_back(function, *arguments, seed=9):
    """The value, and what a random slope of it comes back as."""
    value, back = jax.vjp(function, *arguments)
    return value, back(jnp.asarray(drawn(*value.shape, seed=seed)))


@pytest.mark.parametrize("inputs, outputs", [(4, 7), (7, 4), (5, 5)])
def test_product_and_its_gradients(inputs, outputs):
    x, matrix, slope = drawn(9, inputs), drawn(inputs, outputs, seed=1), drawn(9, outputs, seed=9)
    value, (to_x, to_matrix) = pulled_back(kernels.product, x, matrix)
    np.testing.assert_allclose(value, x.astype(float) @ matrix, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(to_x, slope.astype(float) @ matrix.T, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(to_matrix, x.T.astype(float) @ slope, rtol=1e-5, atol=1e-5)


def test_rotation_is_a_complex_phase_and_comes_back_by_its_inverse():
    x, slope = drawn(2, 6, 8), drawn(2, 6, 8, seed=9)
    value, (back,) = pulled_back(kernels.rotate, x)
    angle = np.arange(6)[:, None] * 10000.0 ** (-np.arange(4) / 4)

    def turned(z, sign):
        out = (z[..., :4] + 1j * z[..., 4:]) * np.exp(sign * 1j * angle)
        return np.concatenate([out.real, out.imag], axis=-1)

    np.testing.assert_allclose(value, turned(x, 1), atol=1e-6)
    np.testing.assert_allclose(back, turned(slope, -1), atol=1e-6)


def softmax_attention(q, k, v, scale, causal=True):
    scores = np.einsum("gqk,gsk->gqs", q, k) * scale
    if causal:
        scores = np.where(np.tril(np.ones(scores.shape[1:], bool)), scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return np.einsum("gqs,gsk->gqk", weights / weights.sum(-1, keepdims=True), v)


@pytest.mark.parametrize("causal", [True, False])
def test_attention_is_the_softmax_in_float64(causal):
    q, k, v = drawn(3, 5, 4), drawn(3, 5, 4, seed=1), drawn(3, 5, 4, seed=2)
    expected = softmax_attention(*(x.astype(float) for x in (q, k, v)), 0.7, causal)
    np.testing.assert_allclose(kernels.attend(q, k, v, 0.7, causal), expected, atol=1e-6)


@pytest.mark.parametrize("causal", [True, False])
def test_the_largest_logit_is_one_that_attention_sees(causal):
    q, k = drawn(2, 5, 4), drawn(2, 5, 4, seed=1)
    scores = 0.7 * np.einsum("gqk,gsk->gqs", q.astype(float), k)
    seen = np.tril(np.ones((5, 5), bool)) if causal else np.ones((5, 5), bool)
    assert scores[:, ~np.tril(np.ones((5, 5), bool))].max() > scores[:, np.tril(np.ones((5, 5), bool))].max()
    assert kernels.largest_logit(q, k, 0.7, causal) == pytest.approx(scores[:, seen].max(), rel=1e-5)


@pytest.mark.parametrize("causal", [True, False])
def test_attentions_gradients_are_difference_quotients_in_float64(causal):
    arguments = [drawn(2, 5, 4, seed=seed) for seed in range(3)]
    slope = drawn(2, 5, 4, seed=9).astype(float)
    _, gradients = pulled_back(lambda q, k, v: kernels.attend(q, k, v, 0.7, causal), *arguments)
    exact = [x.astype(float) for x in arguments]
    for index, gradient in enumerate(gradients):
        for place in [(0, 0, 0), (0, 4, 3), (1, 2, 1), (1, 0, 2), (1, 3, 0)]:
            values = []
            for change in (1e-5, -1e-5):
                moved = [x.copy() for x in exact]
                moved[index][place] += change
                values.append((softmax_attention(*moved, 0.7, causal) * slope).sum())
            assert gradient[place] == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-4, abs=1e-5)


def test_large_scores_neither_overflow_nor_lose_their_gradient():
    q, k, v = 60 * drawn(1, 6, 4), 60 * drawn(1, 6, 4, seed=1), drawn(1, 6, 4, seed=2)
    value, gradients = pulled_back(lambda q, k, v: kernels.attend(q, k, v, 1.0), q, k, v)
    np.testing.assert_allclose(value, softmax_attention(q.astype(float), k.astype(float), v, 1.0), atol=1e-4)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_elsewhere_the_same_numbers_come_from_jax(monkeypatch):
    q, k, v, x, matrix = (
        drawn(2, 6, 8),
        drawn(2, 6, 8, seed=1),
        drawn(2, 6, 8, seed=2),
        drawn(5, 3),
        drawn(3, 4, seed=4),
    )

    def all_of_them():
        return [
            pulled_back(lambda q, k, v: kernels.attend(q, k, v, 0.3), q, k, v),
            pulled_back(lambda q, k, v: kernels.attend(q, k, v, 0.3, False), q, k, v),
            pulled_back(kernels.rotate, q),
            pulled_back(kernels.product, x, matrix),
        ]

    here = all_of_them()
    monkeypatch.setattr(kernels, "on_cpu", lambda _: False)
    for mine, theirs in zip(jax.tree.leaves(here), jax.tree.leaves(all_of_them()), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=2e-6)
