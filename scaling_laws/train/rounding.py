"""Rounding to a few bits in the compiled step, the bits an argument (`techniques.quantization`).

Dimensions: I inputs, O outputs, G groups of inputs.
"""

from typing import Any

import jax
import jax.numpy as jnp

from scaling_laws.models.hooks import Rounding
from scaling_laws.models.rounding import multiples, rounded_to, scales
from scaling_laws.optim import tensor_names
from scaling_laws.techniques import stored
from scaling_laws.techniques.quantization import QuantizeConfig


def activations(form: QuantizeConfig, numbers: Any) -> Rounding | None:
    """What is done to what matrices multiply; None where nothing is."""
    return Rounding(numbers["quantize.activation_steps"], form.ends) if form.activation_bits else None


def weights(form: QuantizeConfig, params: Any, numbers: Any) -> Any:
    """The parameters with what is to be rounded rounded; gradients pass as if it were not."""
    if not form.weight_bits:
        return params

    def one(path: Any, leaf: Any) -> Any:
        names = tensor_names(path)
        if not stored.is_rounded(form, names, leaf.shape):
            return leaf
        return rounded_to(leaf, largest(form, names, leaf), numbers["quantize.weight_steps"])

    return jax.tree_util.tree_map_with_path(one, params)


def parts(form: QuantizeConfig, names: tuple[str, ...], matrix: jax.Array, steps: Any) -> tuple[jax.Array, jax.Array]:
    """(whole numbers as float32, scales) of a matrix, whose product `together` makes again: as many scales as are
    stored (`stored.n_scales`)."""
    scale = scales(largest(form, names, matrix), steps)
    whole = multiples(matrix, scale, steps)
    if form.granularity != "group":
        return whole, scale
    each = slice(None, None, form.group)
    return whole, scale[..., each, :] if stored.inputs_axis(names) == -2 else scale[..., each]


def together(form: QuantizeConfig, names: tuple[str, ...], whole: jax.Array, scale: jax.Array) -> jax.Array:
    """The rounded matrix, bit for bit as in `weights`."""
    axis = stored.inputs_axis(names)
    if form.granularity == "group":
        scale = jnp.repeat(scale, form.group, axis=axis)
        scale = jax.lax.slice_in_dim(scale, 0, whole.shape[axis], axis=axis % whole.ndim)
    return scale * whole


def largest(form: QuantizeConfig, names: tuple[str, ...], matrix: jax.Array) -> jax.Array:
    """The largest absolute value of what shares a scale with each number of a matrix (..., I, O), in a shape that goes
    with it: (..., 1, 1) by tensor, (..., 1, O) by channel, all of it by group; I and O change places where rows are
    looked up. The last group may be a smaller one."""
    sizes, axis = jnp.abs(matrix), stored.inputs_axis(names)
    if form.granularity == "tensor":
        return sizes.max(axis=(-2, -1), keepdims=True)
    if form.granularity == "channel":
        return sizes.max(axis=axis, keepdims=True)
    sizes, n_inputs = sizes.swapaxes(axis, -2), matrix.shape[axis]
    edges = [(0, 0)] * matrix.ndim
    edges[-2] = (0, -n_inputs % form.group)
    padded = jnp.pad(sizes, edges)
    of_GxO = padded.reshape(*sizes.shape[:-2], -1, form.group, sizes.shape[-1]).max(axis=-2)
    return jnp.repeat(of_GxO, form.group, axis=-2)[..., :n_inputs, :].swapaxes(axis, -2)
