"""Cross-entropy of next tokens, without the logits of a whole batch where they would fill the memory.

Dimensions: B batch, L length, D width, V vocabulary.
"""

from collections.abc import Callable
from typing import Any

import jax
import optax


def cross_entropy(
    logits: Callable[[Any], Any], x_BxLxD: Any, targets_BxL: Any, chunks: int = 1, with_log_z: bool = False
) -> Any:
    """(B, L) losses in nats of `targets` under `logits(x)`, float32; with `with_log_z` also ln Z (B, L), the log of the
    softmax' sum.

    With `chunks`, a divisor of B, only so many windows' logits are there at a time, and the backward pass makes them
    anew: one more product with the head for B / chunks of the memory. A chunk takes windows from everywhere, so that a
    batch that is split over devices stays split.
    """

    def losses(pair: Any) -> Any:
        x, targets = pair
        scores = logits(x)
        found = optax.softmax_cross_entropy_with_integer_labels(scores, targets)
        return (found, jax.nn.logsumexp(scores, axis=-1)) if with_log_z else found

    if chunks == 1:
        return losses((x_BxLxD, targets_BxL))
    pairs = jax.tree.map(lambda a: a.reshape(-1, chunks, *a.shape[1:]).swapaxes(0, 1), (x_BxLxD, targets_BxL))
    found = jax.lax.map(jax.checkpoint(losses), pairs)
    return jax.tree.map(lambda a: a.swapaxes(0, 1).reshape(targets_BxL.shape), found)
