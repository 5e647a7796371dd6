"""Cooldown branches beside cosine runs and constant rates, on one shape at three token budgets."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from scaling_laws.config import ExperimentConfig, replace

if TYPE_CHECKING:
    from scaling_laws.sweep.summary import Summary

TINY = {
    "model.width": 8,
    "model.depth": 1,
    "sweep.budgets": (2e9, 4e9, 8e9),
    "sweep.seeds": (0, 1, 2),
    "optimizer.warmup_steps": 5,
    "train.eval_tokens": 8192,
    "train.curve_points": 2,
    "train.curve_eval_tokens": 1024,
}
AS_IT_IS = (1.0,)  # no other rate is tried


def config(scale: str) -> ExperimentConfig:
    """The recipe of experiments/configs/trunks.py, at smoke scale of a tiny shape."""
    from experiments.configs import trunks

    return replace(trunks.get_config(), TINY) if scale == "smoke" else trunks.get_config()


def train(scale: str, workdir: Path) -> "Iterator[Summary]":
    """Do what is left; at smoke scale all schedules have one rate. Raises as `study.train_runs`."""
    from experiments import schedules

    yield from schedules.train(config(scale), workdir, AS_IT_IS if scale == "smoke" else schedules.FACTORS)
