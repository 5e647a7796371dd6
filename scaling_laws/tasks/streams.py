"""Examples that are drawn in the compiled step and never repeat, by name: one function and one line of STREAMS each.

A function takes the key of an example and the task's fixed arrays, and gives its input and its target.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

COARSE = 4096  # float32 has 2^-24 between 0 and 1, too coarse for the rarest items


def keys(key: Any, fixed: Mapping[str, Any]) -> tuple[Any, Any]:
    """The key itself, of which a model draws what it sees of the example; its error is to be 0."""
    return key, jnp.zeros(())


def zipf(key: Any, fixed: Mapping[str, Any]) -> tuple[Any, Any]:
    """An item, counted from 0, with the probabilities behind `survival` (M,), and its own of `labels` (M,)."""
    coarse, fine = jax.random.split(key)
    place = jax.random.randint(coarse, (), 0, COARSE) + 1 - jax.random.uniform(fine)
    ascending_M = fixed["survival"][::-1]
    item = len(ascending_M) - 1 - jnp.searchsorted(ascending_M, place / COARSE).clip(max=len(ascending_M) - 1)
    return item.astype(jnp.int32), fixed["labels"][item]


def manifold(key: Any, fixed: Mapping[str, Any]) -> tuple[Any, Any]:
    """A point of [-1, 1]^d carried into D dimensions, and what the teacher says of it (`theory.manifold`)."""
    embedding_Dxd = fixed["embedding"]
    point_d = jax.random.uniform(key, (embedding_Dxd.shape[1],), minval=-1.0, maxval=1.0)
    target = jnp.tanh(point_d @ fixed["weights"] + fixed["biases"]) @ fixed["output"] - fixed["shift"]
    return embedding_Dxd @ point_d, target


STREAMS: dict[str, Callable[[Any, Mapping[str, Any]], tuple[Any, Any]]] = {
    "keys": keys,
    "zipf": zipf,
    "manifold": manifold,
}
