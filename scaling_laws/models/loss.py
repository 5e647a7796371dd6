"""Losses: cross-entropy of next tokens, without the logits of a whole batch where they would fill the memory, and the
losses of examples.

Dimensions: B batch, L length, D width, V vocabulary, O outputs.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from scaling_laws.spec import Spec


def cross_entropy(
    logits: Callable[[Any], Any], x_BxLxD: Any, targets_BxL: Any, chunks: int = 1, with_sums: bool = False
) -> Any:
    """(B, L) losses in nats of `targets` under `logits(x)`, float32; `with_sums` also ln Z, the log of the softmax'
    sum, and the mean of the logits, (B, L) both.

    With `chunks`, a divisor of B, only so many windows' logits are there at a time, and the backward pass makes them
    anew: one more product with the head for B / chunks of the memory. A chunk takes windows from everywhere, so that a
    batch that is split over devices stays split.
    """

    def losses(pair: Any) -> Any:
        x, targets = pair
        scores = logits(x)
        found = optax.softmax_cross_entropy_with_integer_labels(scores, targets)
        return (found, jax.nn.logsumexp(scores, axis=-1), scores.mean(axis=-1)) if with_sums else found

    if chunks == 1:
        return losses((x_BxLxD, targets_BxL))
    pairs = jax.tree.map(lambda a: a.reshape(-1, chunks, *a.shape[1:]).swapaxes(0, 1), (x_BxLxD, targets_BxL))
    found = jax.lax.map(jax.checkpoint(losses), pairs)
    return jax.tree.map(lambda a: a.swapaxes(0, 1).reshape(targets_BxL.shape), found)


def example_losses(spec: Spec, outputs_BxO: Any, targets_B: Any, class_weights_O: Any = None) -> Any:
    """(B,) float32: cross-entropy in nats, times its class' weight where there are weights; or the squared error.

    Targets of a classification may also be (B, O) shares of each class, as mixtures of examples have them.
    """
    if not spec.is_classification:
        return jnp.square(outputs_BxO[:, 0] - targets_B)
    targets_BxO = jax.nn.one_hot(targets_B, spec.outputs) if targets_B.ndim == 1 else targets_B
    if class_weights_O is not None:
        targets_BxO = targets_BxO * class_weights_O
    return -(targets_BxO * jax.nn.log_softmax(outputs_BxO)).sum(axis=1)
