"""What stands beneath the outputs of a stage of boosting: those of the stages before, of every example, computed once
(Friedman 2001, "Greedy function approximation", algorithm 1, with f_1 in full and shrinkage from the second stage on).

Dimension letters: N examples, O outputs.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scaling_laws import families
from scaling_laws.config import ConfigError, RunConfig, of_settings
from scaling_laws.tasks import order
from scaling_laws.tasks.task import Task
from scaling_laws.train import source

Row = Mapping[str, Any]
OFFSET = "offset"  # (N, O), among the arrays to train on and those for evaluations


def stages(run: RunConfig, workdir: Path, corpus_hash: str) -> list[Row]:
    """The rows of the stages before a run, the first one first; none where it boosts nothing.

    Raises as `source.finished`, and ConfigError where a stage is of other data or of another split of them.
    """
    found: list[Row] = []
    name, folder = run.boost.previous, Path(run.boost.previous_workdir or workdir)
    while name:
        row = source.finished("boost.previous", name, folder)
        theirs = of_settings(json.loads(row["config"]))
        if row["corpus_hash"] != corpus_hash or theirs.task.split_seed != run.task.split_seed:
            raise ConfigError(f"boost.previous: run {name} is of other data; allowed: of the same, split alike")
        found.insert(0, row)
        name = theirs.boost.previous
    return found


def rates(rows: list[Row]) -> list[float]:
    """What the sum takes of each stage: all of the first one."""
    return [1.0, *(of_settings(json.loads(row["config"])).boost.rate for row in rows[1:])]


def offsets(run: RunConfig, task: Task, workdir: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The outputs beneath a run's, for the arrays to train on and for those of evaluations; none where it boosts
    nothing. Raises as `stages`, and KeptError where a stage kept no parameters."""
    rows = stages(run, workdir, task.content_hash)
    if not rows:
        return {}, {}
    from scaling_laws.train import mixture  # with Flax
    from scaling_laws.train.finished import Finished

    members = [Finished.of(row, Path(run.boost.previous_workdir or workdir)) for row in rows]
    weights, evaluated = rates(rows), order.evaluation(task)
    train = mixture.outputs(members, task, order.training(task), weights)
    return {OFFSET: train}, {OFFSET: mixture.outputs(members, task, evaluated, weights)}


def forward_flops(rows: list[Row], task: Task) -> float | None:
    """FLOPs of the stages' passes over the train split; None without any."""
    counts = [families.count(of_settings(json.loads(row["config"])).model, task.spec).forward for row in rows]
    return float(sum(counts) * task.length("train")) if rows else None
