"""Pruned weights are zeros of negative sign: no mask is kept beside them, and none is stored.

No other weight has that value: drawn ones are not -0, and a sum is -0 only where both its terms are.
"""

from typing import Any

import jax
import jax.numpy as jnp


def pruned(weights: Any, xp: Any = jnp) -> Any:
    """Whether each weight of an array is; with `xp=numpy` on the host."""
    return (weights == 0) & xp.signbit(weights)


def without(grads: Any, params: Any) -> Any:
    """Gradients of parameters (trees alike), 0 for those that are pruned."""
    return jax.tree.map(lambda grad, param: jnp.where(pruned(param), 0, grad), grads, params)


def kept(after: Any, before: Any) -> Any:
    """Parameters after an update, those that were pruned before it as they were."""
    return jax.tree.map(lambda new, old: jnp.where(pruned(old), old, new), after, before)
