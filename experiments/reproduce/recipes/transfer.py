"""What English is worth to models of Python of several sizes, all layers learning (`experiments.fine_tuning`)."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.fine_tuned import Asked, train

if TYPE_CHECKING:
    from scaling_laws.sweep.summary import Summary

FREE = ("none",)
SIZES = {
    "smoke": Asked(source_steps=256, steps=(8, 24), scratch_steps=(8, 24, 72, 216), frozen=FREE),
    "cpu": Asked(source_steps=1000, steps=(16, 48, 144), scratch_steps=(16, 48, 144, 432), frozen=FREE),
}
CHANGES = {
    "smoke": {"sweep.widths": (8, 16), "sweep.lr_multipliers": (3.0,), "train.eval_tokens": 16384},
    "cpu": {"sweep.widths": (16, 32, 64), "sweep.lr_multipliers": (0.33, 1.0, 3.0, 9.0)},
}


def runs(scale: str, workdir: Path) -> "Iterator[Summary]":
    """The sources, then the arms, from scratch and from them; at cpu scale 174 runs."""
    from experiments.configs import fine_tuning
    from scaling_laws.config import replace

    config = replace(fine_tuning.get_config(), {"model.width": 0, **CHANGES[scale]})
    for summary, _ in train(config, workdir, SIZES[scale]):
        yield summary
