"""Convolutions with a 3 x 3 kernel, the picture's edge padded with zeros, so that it keeps its size.

On a CPU the training loop decides: inside `lax.fori_loop` XLA hands a convolution to its fast kernel only in the
channels-last form, and the derivatives that JAX makes are in another. One layer forward and backward, float32, 64
pictures, in ms on one core: JAX's own derivatives 43, 76, 327 and 349 (8 x 8 x 16, 28 x 28 x 8, 28 x 28 x 16 and
14 x 14 x 32), the same written out channels-last 1.2, 7.6, 18 and 12, and as a product of gathered neighbourhoods 1.2,
8.1, 51 and 17. A kernel a channel, as a grouped convolution, took ten times as long at 8 x 8 as nine shifted
multiplications (37 and 4.5 for two blocks of 8 channels). Under vmap a convolution is a grouped one too: four runs at a
time take 2 to 3 times as long as one after the other. Elsewhere XLA's convolutions and JAX's derivatives serve.

Dimensions: B batch, H height, W width, I inputs, O outputs, C channels, T the nine places of a kernel.
"""

import functools
import operator

import jax
import jax.numpy as jnp

from scaling_laws.families.convnet import SIDE, TAPS
from scaling_laws.models.hooks import rounded
from scaling_laws.models.kernels import on_cpu

_LAST = ("NHWC", "HWIO", "NHWC")
_EDGE = SIDE // 2
_PICTURE = (1, 2, 3)  # axes of one
_as_it_is = jax.lax.optimization_barrier  # a transpose inside is done, not folded into the convolution


def convolve(x_BxHxWxI: jax.Array, kernel: jax.Array, end: bool = False) -> jax.Array:
    """(B, H, W, O), in x's dtype, by the `kernel` (T I, O): place by place, row by row, the inputs of each. `end`: of
    the first layer."""
    x_BxHxWxI = rounded(x_BxHxWxI, _PICTURE, end)
    kernel_3x3xIxO = kernel.astype(x_BxHxWxI.dtype).reshape(SIDE, SIDE, x_BxHxWxI.shape[-1], -1)
    return (_convolve if on_cpu(x_BxHxWxI) else _plain)(x_BxHxWxI, kernel_3x3xIxO)


def _plain(x_BxHxWxI, kernel_3x3xIxO, groups=1):
    edges = [(_EDGE, _EDGE)] * 2
    return jax.lax.conv_general_dilated(
        x_BxHxWxI, kernel_3x3xIxO, (1, 1), edges, dimension_numbers=_LAST, feature_group_count=groups
    )


@jax.custom_vjp
def _convolve(x_BxHxWxI, kernel_3x3xIxO):
    return _plain(x_BxHxWxI, kernel_3x3xIxO)


def _convolve_forward(x_BxHxWxI, kernel_3x3xIxO):
    return _plain(x_BxHxWxI, kernel_3x3xIxO), (x_BxHxWxI, kernel_3x3xIxO)


def _convolve_backward(kept, slope_BxHxWxO):
    """The input's gradient is a convolution by the kernel turned about; the kernel's sums over pictures, which stand as
    channels there, by the slopes as a kernel of the picture's size."""
    x_BxHxWxI, kernel_3x3xIxO = kept
    turned_3x3xOxI = _as_it_is(kernel_3x3xIxO[::-1, ::-1].swapaxes(2, 3))
    x_IxHxWxB, slope_HxWxBxO = (
        _as_it_is(x_BxHxWxI.transpose(3, 1, 2, 0)),
        _as_it_is(slope_BxHxWxO.transpose(1, 2, 0, 3)),
    )
    gradient_Ix3x3xO = _plain(x_IxHxWxB, slope_HxWxBxO)
    return _plain(slope_BxHxWxO, turned_3x3xOxI), gradient_Ix3x3xO.transpose(1, 2, 0, 3)


_convolve.defvjp(_convolve_forward, _convolve_backward)


def depthwise(x_BxHxWxC: jax.Array, kernels_TxC: jax.Array) -> jax.Array:
    """(B, H, W, C), in x's dtype: each channel by a kernel of its own.

    On a CPU nine shifted multiplications, in which a count of traced products finds none; elsewhere the grouped
    convolution that is counted.
    """
    x_BxHxWxC, kernels_TxC = rounded(x_BxHxWxC, _PICTURE), kernels_TxC.astype(x_BxHxWxC.dtype)
    _, height, width, channels = x_BxHxWxC.shape
    if not on_cpu(x_BxHxWxC):
        return _plain(x_BxHxWxC, kernels_TxC.reshape(SIDE, SIDE, 1, channels), channels)
    around = jnp.pad(x_BxHxWxC, ((0, 0), (_EDGE, _EDGE), (_EDGE, _EDGE), (0, 0)))
    corners = [divmod(tap, SIDE) for tap in range(TAPS)]
    shifted = [around[:, row : row + height, column : column + width] for row, column in corners]
    return functools.reduce(
        operator.add, (part * kernel_C for part, kernel_C in zip(shifted, kernels_TxC, strict=True))
    )
