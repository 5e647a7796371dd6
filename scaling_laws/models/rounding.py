"""Numbers as whole multiples of a scale (`scaling_laws.techniques.quantization`)."""

from typing import Any

import jax
import jax.numpy as jnp

_SMALLEST = float(jnp.finfo(jnp.float32).tiny) ** 0.5  # scale


@jax.custom_vjp
def rounded_to(x: jax.Array, largest: jax.Array, steps: jax.Array) -> jax.Array:
    """Each number, float32, as the nearest of the multiples -(steps - 1/2), .., steps - 1/2 of its scale, which is
    `largest` / `steps`; all as they are where `steps` is 0.

    Gradients pass as if it were the identity: the straight-through estimator (Bengio et al. 2013, arXiv:1308.3432).
    """
    scale = scales(largest, steps)
    return jnp.where(steps > 0, scale * multiples(x, scale, steps), x)


def _forward(x: jax.Array, largest: jax.Array, steps: jax.Array) -> Any:
    return rounded_to(x, largest, steps), (largest, steps)


def _backward(kept: Any, slope: jax.Array) -> Any:
    return slope, *jax.tree.map(jnp.zeros_like, kept)


rounded_to.defvjp(_forward, _backward)


def scales(largest: jax.Array, steps: jax.Array) -> jax.Array:
    """The scales of numbers with these largest absolute values; 1 where one is too small to divide by."""
    scale = largest / jnp.maximum(steps, 1.0)
    return jnp.where(scale < _SMALLEST, 1.0, scale)


def multiples(x: jax.Array, scale: jax.Array, steps: jax.Array) -> jax.Array:
    """The whole numbers, as floats, that numbers become."""
    most = steps - 0.5
    return jnp.clip(jnp.round(x / scale), -most, most)
