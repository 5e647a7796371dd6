"""The parts of experiments.lr_sweep that need no flag: runs over sizes and horizons, the training of their grid,
and its table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scaling_laws.config import ExperimentConfig, RunConfig, replace, run_part

if TYPE_CHECKING:
    from analysis.load import Runs
    from scaling_laws.sweep.lr_grid import LrGrid
    from scaling_laws.sweep.summary import Summary

AXES = ("width", "depth")


def shapes(config: RunConfig, axis: str, values: Sequence[int]) -> list[RunConfig]:
    """The run at each of the widths or depths `values`; the other is the model's own, where that is not set the
    base's."""
    model, train = config.model, config.train
    other = {f"model.{name}": getattr(model, name) or getattr(train, f"base_{name}") for name in AXES if name != axis}
    return [replace(config, other | {f"model.{axis}": value}) for value in values]


def over(
    config: ExperimentConfig, names: Sequence[str], values: Mapping[str, Sequence[int]], horizons: Sequence[int]
) -> list[RunConfig]:
    """The run of each parametrisation, size (axis -> its values) and number of steps, each once. Raises ConfigError for
    what a setting does not allow."""
    found = [
        replace(shape, {"train.steps": steps})
        for name in names
        for axis in values
        for shape in shapes(replace(run_part(config), {"train.parametrization": name}), axis, values[axis])
        for steps in horizons
    ]
    return list(dict.fromkeys(found))


def grid(config: ExperimentConfig, runs: Sequence[RunConfig], reach: int) -> "LrGrid":
    """The grid of learning rates of these runs, checked. Raises ConfigError for settings that a run cannot have."""
    from scaling_laws.sweep import study
    from scaling_laws.sweep.lr_grid import LrGrid
    from scaling_laws.sweep.pace import Pace

    found = LrGrid(config, study.facts_of(config), tuple(runs), reach, Pace())
    found.check()
    return found


def train(found: "LrGrid", workdir: Path) -> "Summary":
    """Do what is left of a grid and of its extensions in `workdir`, and say how it ended."""
    from scaling_laws.sweep import machine, study

    config = found.experiment
    n_workers = machine.worker_count(config.sweep.workers)
    summary, _ = study.train_runs(config, found.facts, found.planned(), workdir, n_workers, more=found.further)
    print("\n".join(study.endings(summary)), flush=True)
    return summary


def read(workdir: Path) -> "Runs":
    """The runs of such grids, those that went bad among them, as `analysis.lr_minima` reads them. Raises DataError."""
    from analysis import load, lr_minima
    from scaling_laws import table

    return load.load(workdir, where="purpose == 'lr_sweep'", needs=lr_minima.NEEDS, statuses=table.SETTLED)
