"""The sweep that is timed: six shapes around "tiny", four learning rates each, 200 steps a run. Free of JAX."""

import itertools
import math
from collections.abc import Iterator

import numpy as np

from scaling_laws import config, families, spec
from scaling_laws.config import AXIS, ConfigError, ExperimentConfig, RunConfig, head_count

WIDTHS, DEPTHS, MULTIPLIERS = (16, 32, 48), (1, 2), (0.5, 1.0, 2.0, 4.0)
STEPS, VOCAB = 200, 256
RATE = 2e-3
SETTINGS = {
    "model.n_heads": 2,
    "task.context": 64,
    "train.parametrization": "standard",
    "train.batch_size": 16,
    "train.eval_tokens": 16384,
    "train.curve_points": 2,
    "train.curve_eval_tokens": 2048,
    "optimizer.learning_rate": RATE,
}


def experiment() -> ExperimentConfig:
    """The sweep as a configuration: a budget a shape, each keeping the one shape that makes 200 steps of it.

    Budgets are what a sweep is written in, so the shapes' sizes must rise with their FLOPs for the rule of
    `sweep.center` to tell them apart.
    """
    costs = sorted(_costs())
    flops, sizes = np.array(costs).T
    exponent, offset = np.polyfit(np.log(flops / 1e12), np.log(sizes), 1)
    changes = {
        "model.width": AXIS,
        "model.depth": AXIS,
        "sweep.widths": WIDTHS,
        "sweep.depths": DEPTHS,
        "sweep.budgets": tuple(flops.tolist()),
        "sweep.shapes_per_budget": 1,
        "sweep.center": math.exp(offset),
        "sweep.center_exponent": float(exponent),
        "sweep.lr_multipliers": MULTIPLIERS,
        "sweep.lr_check": False,
        "sweep.forecast_factor": 0.0,
    }
    return config.replace(ExperimentConfig(), SETTINGS | changes)


def _costs() -> Iterator[tuple[float, int]]:
    """(training FLOPs of 200 steps, N) of each shape."""
    for width, depth in itertools.product(WIDTHS, DEPTHS):
        run = single(width, depth, RATE)
        counts = families.count(run.model, spec.text(VOCAB, run.task.context))
        yield float(counts.flops_per_token * STEPS * run.train.batch_size * run.task.context), counts.n_params


def single(width: int, depth: int, rate: float) -> RunConfig:
    """One run of the sweep. Raises ConfigError for a width that the heads do not divide."""
    changes = {"model.width": width, "model.depth": depth, "optimizer.learning_rate": rate, "train.steps": STEPS}
    run = config.replace(RunConfig(), SETTINGS | changes)
    if width % head_count(run.model):
        raise ConfigError(f"model.width: {width}; allowed: a multiple of {head_count(run.model)}")
    return run


def singles() -> list[tuple[int, int, float]]:
    """(width, depth, learning rate) of every run."""
    return [(w, d, RATE * m) for w, d, m in itertools.product(WIDTHS, DEPTHS, MULTIPLIERS)]


def words() -> list[str]:
    """The sweep as words of the command line: every setting that differs from its default."""
    default = {path: value for path, _, value in config.leaves(ExperimentConfig())}
    changed = [(path, value) for path, _, value in config.leaves(experiment()) if value != default[path]]
    return [f"--config.{path}={_text(value)}" for path, value in changed]


def _text(value: object) -> str:
    return ",".join(map(repr, value)) if isinstance(value, tuple) else str(value)
