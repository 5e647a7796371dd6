"""Exports of Weights & Biases: the runs table and charts that its pages write, and histories with a row a logged step.

A runs table has Name and State; a chart an axis and columns `run - metric`, each with __MIN and __MAX; a history _step.
Values below are told by these columns alone, never by the file's name, but a history without a column of runs is one
run called as its file.
"""

from pathlib import Path

import numpy as np

from analysis.load.columns import texts
from analysis.load.curves import Columns
from analysis.load.runs import Runs

RUN_NAMES = ("run_id", "run", "run_name", "name", "Name", "id", "ID")
BESIDE = ("__MIN", "__MAX")
JOINT = " - "
INTERNAL = ("_step", "_runtime", "_timestamp", "_wandb")


def told(columns: Columns, path: Path) -> tuple[Columns | None, list[Columns], tuple[str, ...]]:
    """(a table of runs or None, points of curves in parts, what was inferred); another table comes back as it is.

    Raises DataError where an axis is no column of numbers.
    """
    if {"Name", "State"} <= set(columns):
        table, notes = _runs(columns)
        return table, [], notes
    axis = "_step" if "_step" in columns else next(iter(columns)) if _metrics(columns) else None
    if axis is None:
        return columns, [], ()
    columns = columns | {axis: Runs(columns, str(path)).only_numbers(axis)}
    parts, notes = _history(columns, path.stem) if axis == "_step" else _chart(columns, axis)
    return None, parts, notes


def _runs(columns: Columns) -> tuple[Columns, tuple[str, ...]]:
    """A runs table with run_id and status, and what was inferred. Runs that share a name go by their ID."""
    names = texts(columns["Name"])
    key = "ID" if "ID" in columns and len(np.unique(names)) < len(names) else "Name"
    status = np.array([word.lower() for word in texts(columns["State"]).tolist()], dtype=object)
    note = f"runs table of Weights & Biases: run_id is {key}, status is State"
    return columns | {"run_id": texts(columns[key]), "status": status}, (note,)


def _history(columns: Columns, stem: str) -> tuple[list[Columns], tuple[str, ...]]:
    """Points of a history, and what was inferred."""
    key = next((name for name in RUN_NAMES if name in columns), None)
    names = np.full(len(columns["_step"]), stem) if key is None else texts(columns[key])
    kept = {name: values for name, values in columns.items() if name not in (*INTERNAL, key)}
    note = f"history of Weights & Biases: step is _step, run_id is {key or f'the name of the file, {stem!r}'}"
    return [kept | {"run_id": names, "step": columns["_step"]}], (note,)


def _chart(columns: Columns, axis: str) -> tuple[list[Columns], tuple[str, ...]]:
    """Points of a chart, a part for every run and metric, and what was inferred."""
    parts, metrics = [], {}
    for name in _metrics(columns):
        run, _, metric = name.rpartition(JOINT)
        there = np.isfinite(columns[name])
        along = columns[axis][there]
        own = {"run_id": np.full(len(along), run), "step": along, metric: columns[name][there]}
        parts.append(own if axis.lower() == "step" else own | {axis: along})
        metrics[metric] = None
    note = f"chart of Weights & Biases: {', '.join(metrics)} over {axis!r}, run_id is what stands before the metric"
    return parts, (note,)


def _metrics(columns: Columns) -> list[str]:
    """Columns `run - metric` that stand with a minimum and a maximum each; what the logger itself adds is none."""
    return [
        name
        for name, values in columns.items()
        if JOINT in name and values.dtype.kind == "f" and all(name + beside in columns for beside in BESIDE)
        if name.rpartition(JOINT)[2] not in INTERNAL
    ]
