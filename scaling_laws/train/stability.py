"""The signs by which instabilities announce themselves, layer by layer (Wortsman et al. 2023): gradients and updates
here, logits in the models (`layers.WATCHED`).

A layer is the embedding (with positions), each block, and the head (with the last norm), in this order: G of them. A
layer without parameters counts as 0.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

FIRST = ("embedding", "position", "input", "input_bias", "user_table", "item_table")
FIRST += ("projection", "scales", "teacher", "spread")
BLOCK, STACKED = "block_", "blocks"


def layer_names(n_blocks: int) -> list[str]:
    """`embedding`, `block_0`, .., `head`."""
    return ["embedding", *(f"{BLOCK}{index}" for index in range(n_blocks)), "head"]


def attention_logits(watched: Mapping[str, Any], n_blocks: int) -> jax.Array:
    """(n_blocks,) the largest attention logit that each block sowed; (0,) where blocks have no attention."""
    if STACKED in watched:
        (logits,) = watched[STACKED]["attention"]["attention_logit"]
        return logits
    blocks = [watched.get(f"{BLOCK}{index}", {}) for index in range(n_blocks)]
    return jnp.array([block["attention"]["attention_logit"][0] for block in blocks if "attention" in block])


def gradients_and_updates(grads: Any, updates: Any, params: Any, n_blocks: int) -> jax.Array:
    """(2, G): the norm of each layer's gradient, and that of its update over that of its parameters.

    All three are trees of parameters as the model names them, or each of its blocks (where they are apart, not stacked)
    and other parts as one vector; of a model of `n_blocks`, those parts that learn.
    """
    norms = [jnp.sqrt(_squares(tree, n_blocks)) for tree in (grads, updates, params)]
    return jnp.stack([norms[0], norms[1] / jnp.maximum(norms[2], jnp.finfo(jnp.float32).tiny)])


def _squares(tree: Mapping[str, Any], n_blocks: int) -> jax.Array:
    """(G,) sums of squares."""
    whole = {name: _square(part) for name, part in tree.items() if name != STACKED}
    blocks = [name for name in whole if name.startswith(BLOCK)]
    first = [whole[name] for name in whole if name in FIRST]
    last = [whole[name] for name in whole if name not in (*FIRST, *blocks)]
    if STACKED in tree:
        inner = sum(jnp.square(leaf).reshape(len(leaf), -1).sum(axis=1) for leaf in jax.tree.leaves(tree[STACKED]))
    else:
        inner = jnp.array([whole.get(f"{BLOCK}{index}", 0.0) for index in range(n_blocks)])
    return jnp.concatenate([jnp.array([sum(first)]), inner, jnp.array([sum(last)])])


def _square(part: Any) -> jax.Array:
    return sum((jnp.square(leaf).sum() for leaf in jax.tree.leaves(part)), jnp.zeros((), jnp.float32))
