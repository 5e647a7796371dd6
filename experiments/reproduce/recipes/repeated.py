"""Runs that read some windows of a text 2 to 32 times, beside runs of as many fresh tokens, in one table."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from scaling_laws.config import ExperimentConfig, replace

if TYPE_CHECKING:
    from scaling_laws.sweep.summary import Summary

EPOCHS = (2, 32)  # of what is read again: before, it is nearly fresh; beyond, only the training loss falls
WINDOWS = {"smoke": (512, 256, 128), "cpu": (4096, 1024, 256)}  # read again and again
SMALL = {
    "model.depth": 1,
    "sweep.steps": (32, 64, 128, 256),
    "sweep.widths": (4, 8, 16),
    "sweep.min_steps": 32,
    "sweep.rule": "",  # far outside its range
    "optimizer.learning_rate": 0.03,
    "train.eval_tokens": 32768,
    "train.curve_points": 4,
    "train.curve_eval_tokens": 2048,
}


def train(scale: str, workdir: Path) -> "Iterator[Summary]":
    """Does what is left of the runs; one pool of workers for all. Raises as `study.run_grid`."""
    from scaling_laws.sweep import study
    from scaling_laws.sweep.plan import plan

    first, *more = sweeps(scale)
    grid = study.plan_sweep(first, workdir)
    runs = [*grid.runs, *(planned for again in more for planned in plan(again, grid.facts, grid.pace).runs)]
    yield study.run_grid(dataclasses.replace(grid, runs=tuple(runs)), workdir).summary


def sweeps(scale: str) -> list[ExperimentConfig]:
    """The grid that reads every token once, then the parts of it that read so many windows within EPOCHS."""
    from experiments.configs import repeated

    fresh = replace(repeated.get_config(), SMALL if scale == "smoke" else {})
    return [fresh, *(_again(fresh, windows) for windows in WINDOWS[scale])]


def _again(fresh: ExperimentConfig, windows: int) -> ExperimentConfig:
    low, high = (epochs * windows for epochs in EPOCHS)
    steps = tuple(n for n in fresh.sweep.steps if low <= n * fresh.train.batch_size <= high)
    return replace(fresh, {"sweep.steps": steps, "train.unique_examples": windows, "sweep.max_epochs": EPOCHS[1]})
