"""Runs of small cases, trained or looked up, with the parameters they ended at; and what is asked of a case."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.train import train_once
from scaling_laws.config import RunConfig, replace
from scaling_laws.interrupts import Asked
from scaling_laws.validation import validate_run

if TYPE_CHECKING:
    from scaling_laws.tasks.task import Task


class Stopped(Exception):
    """A run was asked to stop, and has written its checkpoint."""

    def __init__(self, asked: Asked):
        super().__init__("stopped")
        self.asked = asked


@dataclasses.dataclass(frozen=True)
class Check:
    """Something that a case must show, and whether it does."""

    what: str
    passed: bool

    def __str__(self) -> str:
        return f"{'ok    ' if self.passed else 'MISSED'} {self.what}"


@dataclasses.dataclass(frozen=True)
class Trained:
    """A finished run: its settings, data, row and curve, and its last parameters by name."""

    run: RunConfig
    task: "Task"
    row: dict[str, Any]
    curve: list[dict[str, Any]]
    parameters: dict[str, np.ndarray]

    def outputs(self, inputs: np.ndarray) -> np.ndarray:
        """(n, O) outputs of the trained model for `inputs` (n, F)."""
        from flax.traverse_util import unflatten_dict

        from scaling_laws import parametrization
        from scaling_laws.models.build import build

        rules = parametrization.rules(parametrization.Scheme.of(self.run), self.run.model)
        model = build(self.run.model, self.task.spec, rules)
        return np.asarray(model.apply(unflatten_dict(self.parameters, sep="/"), inputs))


def trained(run: RunConfig, workdir: Path) -> Trained:
    """The run from the table of `workdir`, trained now unless it is settled there.

    Raises Stopped, ConfigError for bad settings, KeptError where it has left no parameters, as one that went bad.
    """
    from scaling_laws import table
    from scaling_laws.sweep import machine
    from scaling_laws.tasks import catalog
    from scaling_laws.train import kept

    run = replace(run, {"train.keep_parameters": True})
    validate_run(run)
    row = train_once(run, workdir)
    if isinstance(row, Asked):
        raise Stopped(row)
    task = catalog.load(run.task, machine.task_cache_folder())
    curve = [point for point in table.read_curves(workdir).to_pylist() if point["run_id"] == row["run_id"]]
    return Trained(run, task, row, curve, kept.read(workdir, row["run_id"]))
