"""The reference shapes of the training benchmarks, as settings of a run. Free of JAX."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from scaling_laws import config
from scaling_laws.config import RunConfig


@dataclasses.dataclass(frozen=True)
class Reference:
    """A shape that is measured on both sides; the feed-forward branch is four widths wide.

    `steps`: optimiser steps of one timed round of ours, one dispatch; `peer_steps`: those of the peer's.
    `flops`: FLOP a step, fixed whatever an implementation skips; None where no bar rests on it.
    """

    width: int
    depth: int
    n_heads: int
    vocab_size: int
    context: int
    batch_size: int
    steps: int
    peer_steps: int
    flops: float | None = None

    @property
    def tokens(self) -> int:
        """Tokens a step."""
        return self.batch_size * self.context


REFERENCES = {
    "small": Reference(128, 4, 4, 256, 128, 32, steps=20, peer_steps=10, flops=23.3e9),
    "tiny": Reference(32, 2, 2, 256, 64, 16, steps=200, peer_steps=100),
    "micro": Reference(16, 2, 2, 64, 32, 8, steps=400, peer_steps=200),
}


def changes(reference: Reference) -> dict[str, Any]:
    """The settings of a run of that shape; the vocabulary's size is a property of the task, hence not among them."""
    return {
        "model.width": reference.width,
        "model.depth": reference.depth,
        "model.n_heads": reference.n_heads,
        "task.context": reference.context,
        "train.parametrization": "standard",
        "train.batch_size": reference.batch_size,
        "train.steps_per_dispatch": reference.steps,
    }


def run_config(changed: Mapping[str, Any]) -> RunConfig:
    """A run with those settings, on a horizon that no round reaches the end of, at a rate that diverges nowhere."""
    return config.replace(RunConfig(), {"train.steps": 1 << 24, "optimizer.learning_rate": 1e-4, **changed})
