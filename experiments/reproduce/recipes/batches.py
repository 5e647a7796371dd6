"""Runs of one shape over batch sizes and learning rates, and the gradient noise scale along one of them."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from scaling_laws.config import ExperimentConfig, replace
from scaling_laws.train.drawing import Drawing

if TYPE_CHECKING:
    from scaling_laws.sweep.summary import Summary

SIZES = {"smoke": (2, 4, 8, 16), "cpu": (2, 4, 8, 16, 32, 64)}
NOISE = {"smoke": Drawing(windows=16, batches=8, group=1, points=3), "cpu": Drawing()}
TINY = {
    "model.width": 8,
    "model.depth": 1,
    "model.n_heads": 1,
    "optimizer.learning_rate": 0.08,
    "train.batch_size": 8,
    "train.steps": 60,
    "train.curve_eval_tokens": 2048,
    "train.eval_tokens": 4096,
    "sweep.lr_max_extensions": 2,
}
FEW = 10  # resamples behind lines that are printed alone


def config(scale: str) -> ExperimentConfig:
    """The recipe of experiments/configs/critical_batch.py, at smoke scale of a tiny shape."""
    from experiments.configs import critical_batch

    return replace(critical_batch.get_config(), TINY) if scale == "smoke" else critical_batch.get_config()


def train(scale: str, workdir: Path) -> "Iterator[Summary]":
    """Do what is left, the noise scale after the runs. Raises as `study.train_runs`."""
    from experiments import batches
    from scaling_laws.interrupts import Asked
    from scaling_laws.sweep import study

    recipe = config(scale)
    facts = study.facts_of(recipe)
    grid = batches.grid(recipe, SIZES[scale], facts)
    summary = batches.train(recipe, facts, grid, [], workdir)
    yield summary
    if summary.interrupted:
        return
    found = batches.fit(workdir, recipe, facts, grid, [], FEW)
    noise = batches.measure(recipe, facts, found, NOISE[scale], workdir)
    if isinstance(noise, Asked):
        yield dataclasses.replace(summary, rows=(), interrupted=True, terminated=noise.terminated)
