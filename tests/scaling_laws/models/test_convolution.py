"""Convolutions and their written-out derivatives, against SciPy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import correlate2d

from scaling_laws.models import convolution
from scaling_laws.models.traced import product_flops

SIZES = [(5, 7), (2, 1)]


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def correlated(x, kernel):
    """(B, H, W, O) of x (B, H, W, I) and a kernel (9 I, O)."""
    x, kernel = x.astype(float), kernel.astype(float).reshape(3, 3, x.shape[-1], -1)
    out = np.zeros((*x.shape[:3], kernel.shape[-1]))
    for b, i, o in np.ndindex(len(x), *kernel.shape[2:]):
        out[b, :, :, o] += correlate2d(x[b, :, :, i], kernel[:, :, i, o], mode="same")
    return out


def correlated_by_channel(x, kernels):
    return np.concatenate([correlated(x[..., [c]], kernels[:, [c]]) for c in range(x.shape[-1])], axis=-1)


CASES = [
    pytest.param(convolution.convolve, correlated, 4, id="full"),
    pytest.param(convolution.depthwise, correlated_by_channel, 1, id="depthwise"),
]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("ours, theirs, inputs", CASES)
@pytest.mark.parametrize("on_cpu", [True, False])
def test_values_and_gradients_are_those_of_a_correlation(monkeypatch, ours, theirs, inputs, size, on_cpu):
    monkeypatch.setattr(convolution, "on_cpu", lambda _: on_cpu)
    channels = 3
    x, kernel = (
        drawn(2, *size, channels),
        drawn(9 * (channels if inputs > 1 else 1), inputs if inputs > 1 else channels),
    )
    value, back = jax.vjp(ours, x, kernel)
    np.testing.assert_allclose(value, theirs(x, kernel), atol=1e-5)
    slope = drawn(*value.shape, seed=9)
    # The result is linear in each operand: its derivative along another one is the result for that one.
    for place, (gradient, operand) in enumerate(zip(back(jnp.asarray(slope)), (x, kernel), strict=True)):
        along = drawn(*operand.shape, seed=4)
        operands = (along, kernel) if place == 0 else (x, along)
        expected = (theirs(*operands) * slope).sum()
        assert (np.asarray(gradient, float) * along).sum() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("ours, theirs, inputs", CASES)
def test_a_stack_under_vmap_equals_each_alone(ours, theirs, inputs):
    x, kernel = drawn(3, 2, 5, 4, 3), drawn(3, *((27, 4) if inputs > 1 else (9, 3)))

    @jax.jit
    def slopes(x, kernel):
        return jax.value_and_grad(lambda x, kernel: jnp.square(ours(x, kernel)).sum(), (0, 1))(x, kernel)

    stacked = jax.vmap(slopes)(x, kernel)
    for member in range(3):
        one = slopes(x[member], kernel[member])
        jax.tree.map(lambda a, b, m=member: np.testing.assert_allclose(a[m], b, rtol=1e-4, atol=1e-4), stacked, one)


def test_half_precision_stays_half_and_a_picture_of_one_place_sees_the_kernels_middle():
    x, kernel = drawn(2, 1, 1, 3), drawn(27, 4)
    np.testing.assert_allclose(convolution.convolve(x, kernel)[:, 0, 0], x[:, 0, 0] @ kernel[12:15], atol=1e-5)
    half = convolution.convolve(jnp.asarray(x, jnp.bfloat16), kernel)
    assert half.dtype == jnp.bfloat16
    np.testing.assert_allclose(half.astype(jnp.float32), convolution.convolve(x, kernel), atol=0.05)


def test_the_written_out_derivatives_cost_as_many_flops_as_jaxs(monkeypatch):
    def cost(on_cpu):
        monkeypatch.setattr(convolution, "on_cpu", lambda _: on_cpu)
        slopes = jax.value_and_grad(lambda x, kernel: jnp.square(convolution.convolve(x, kernel)).sum(), (0, 1))
        return product_flops(slopes, drawn(2, 7, 5, 3), drawn(27, 4))

    assert cost(True) == cost(False) == 3 * 2 * 2 * 35 * 27 * 4
