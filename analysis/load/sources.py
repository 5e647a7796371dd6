"""What a path holds: a sweep's workdir, TensorBoard logs, a folder of exports, or one file; told by what is in it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from analysis.load import tensorboard, wandb
from analysis.load.columns import from_arrow, texts
from analysis.load.curves import Columns, Source, last_values, merged, with_last_values
from analysis.load.files import SUFFIXES, read_file
from analysis.load.runs import DataError

ALLOWED = "a sweep's workdir, a folder of TensorBoard logs or of exports, .parquet, .csv or .jsonl"
WORKDIR = ("journal.jsonl", "runs.parquet")


def read(path: Path) -> Source:
    """The runs at a path, with the points of their curves where they come along. Raises DataError and TableError."""
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; allowed: {ALLOWED}")
    if not path.is_dir():
        return _exported([path])
    files = sorted(item for item in path.iterdir() if item.suffix in SUFFIXES)
    if any((path / name).exists() for name in WORKDIR) or not (files or tensorboard.has_events(path)):
        notes: list[str] = []
        return Source(_workdir(path, False, notes.append), None, tuple(notes))
    return tensorboard.read_logs(path) if tensorboard.has_events(path) else _exported(files)


def read_points(path: Path) -> Source:
    """The same for the sake of the curves: `points` is there. Raises DataError where there are none."""
    if path.is_dir() and any((path / name).exists() for name in (*WORKDIR, "curves.parquet")):
        notes: list[str] = []
        return Source({}, _workdir(path, True, notes.append), tuple(notes))
    source = read(path)
    if source.points is None and {"run_id", "step"} <= set(source.columns):
        source = Source({}, source.columns)
    if source.points is None:
        raise DataError(f"{path}: a single table of runs has no training curves")
    return source


def _workdir(path: Path, curves: bool, say: Callable[[str], None]) -> Columns:
    from scaling_laws import table as tables

    found: Any = tables.read_curves(path, say) if curves else tables.read_runs(path, say)
    return {name: from_arrow(name, found[name]) for name in found.column_names}


def _exported(files: list[Path]) -> Source:
    """One table of runs, and the histories beside it, in one file each."""
    runs: list[tuple[Path, Columns]] = []
    parts: list[Columns] = []
    notes: list[str] = []
    for path in files:
        table, points, said = wandb.told(read_file(path), path)
        runs += [] if table is None else [(path, table)]
        parts += points
        notes += said
    if len(runs) > 1:
        raise DataError(f"{runs[0][0]} and {runs[1][0]}: two tables of runs; allowed: one, and histories beside it")
    return _joined(runs[0][1] if runs else None, parts, tuple(dict.fromkeys(notes)))


def _joined(runs: Columns | None, parts: list[Columns], notes: tuple[str, ...]) -> Source:
    if not parts:
        return Source(runs or {}, None, notes)
    points = merged(parts)
    if runs is None:
        return Source(last_values(points), points, (*notes, "a run's row holds the last values on its curve"))
    if "run_id" not in runs:
        raise DataError("a table of runs beside histories; allowed: one with a column run_id (or Name and State)")
    if "ID" in runs and not np.isin(points["run_id"], runs["run_id"]).any():
        runs = runs | {"run_id": texts(runs["ID"])}
    found = with_last_values(runs, points)
    return Source(found.columns, found.points, (*notes, *found.notes))
