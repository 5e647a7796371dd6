"""Any table of runs in, by the project's own column names: a sweep's workdir, Parquet, CSV or JSONL.

A stranger's table is read through a mapping `n_params=N,tokens=D,loss=loss`. Of N, D and C two suffice: the third
follows from C = 6 N D, which is said in `notes`. Rows that cannot be fitted are set aside by name, never silently.
"""

import csv
import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from analysis import where as expressions
from scaling_laws.config import nearest

POSITIVE = ("n_params", "tokens", "flops", "loss")
_TEXT_COLUMNS = """run_id status reason purpose family task technique trunk parametrization optimizer schedule
corpus_hash config device backend jax_version python_version source_revision worker started_at"""
TEXT = frozenset(_TEXT_COLUMNS.split())  # never read as numbers, though an identity may look like 12345e10
SHAPE = ("family", "task", "technique", "strength", "parametrization", "width", "depth", "budget")


class DataError(ValueError):
    """A table that cannot be used, said in one line: which file, which column or row, what is allowed."""


@dataclasses.dataclass(frozen=True)
class Exclusion:
    """A row left out: its place in the source (from 0), the run's name, and why."""

    row: int
    run_id: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Runs:
    """Columns of equal length, where they came from, and what was left out on the way."""

    columns: dict[str, np.ndarray]
    source: str = "memory"
    excluded: tuple[Exclusion, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.columns:
            raise DataError(
                f"{self.source}: no column {name!r}{nearest(name, self.columns)}; map it with --columns={name}=..."
            )
        return self.columns[name]

    def numbers(self, name: str) -> np.ndarray:
        """Column `name` as floats (n,); NaN throughout where the table lacks it or holds text."""
        if name not in self or self[name].dtype.kind not in "fiu":
            return np.full(len(self), np.nan)
        return self[name].astype(float)

    def select(self, mask: np.ndarray, reason: str | Callable[[int], str]) -> "Runs":
        """Rows where `mask` holds; the others join `excluded` under `reason` (a text, or a function of the row)."""
        mask = np.asarray(mask, dtype=bool)
        if mask.all():
            return self
        dropped = [
            Exclusion(self._row(i), self.run_id(i), reason if isinstance(reason, str) else reason(i))
            for i in map(int, np.flatnonzero(~mask))
        ]
        kept = {name: values[mask] for name, values in self.columns.items()}
        return dataclasses.replace(self, columns=kept, excluded=(*self.excluded, *dropped))

    def with_columns(self, **columns: np.ndarray) -> "Runs":
        """A copy with columns added or replaced."""
        return dataclasses.replace(self, columns={**self.columns, **columns})

    def noted(self, *notes: str) -> "Runs":
        """A copy with notes added."""
        return dataclasses.replace(self, notes=(*self.notes, *notes))

    def run_id(self, i: int) -> str:
        """Name of row i; `row 7` in tables without a run_id."""
        return str(self.columns["run_id"][i]) if "run_id" in self.columns else f"row {self._row(i)}"

    def names(self) -> tuple[str, ...]:
        """`run_id` of every row."""
        return tuple(self.run_id(i) for i in range(len(self)))

    def _row(self, i: int) -> int:
        return int(self.columns["row"][i]) if "row" in self.columns else int(i)

    def excluded_counts(self) -> dict[str, int]:
        """Reason -> number of rows left out for it."""
        return dict(Counter(item.reason for item in self.excluded))


def runs_from(columns: Mapping[str, Any], source: str = "memory") -> Runs:
    """Runs of arrays or lists, completed and checked as `load` does."""
    return _checked(Runs({name: np.asarray(values) for name, values in columns.items()}, source))


def load(path: str | Path, columns: str | Mapping[str, str] | None = None, where: str | None = None) -> Runs:
    """The runs in `path`: a sweep's workdir, or a .parquet, .csv or .jsonl file.

    `columns` maps this project's names to the table's; `where` keeps rows for which an expression holds.
    Raises DataError for an unreadable file, an unknown column, a bad expression or a table without usable rows.
    """
    runs = _renamed(Runs(_read(Path(path), "runs"), str(path)), parse_columns(columns))
    runs = _checked(_with_rows(runs))
    if where:
        runs = runs.select(expressions.rows_where(where, runs.columns, len(runs)), f"not {where}")
    if not len(runs):
        raise DataError(f"{path}: no usable row is left; left out: {_counts(runs)}")
    return runs


def load_curves(path: str | Path) -> Runs:
    """Training curves: columns run_id, step, tokens, flops, train_loss, loss (NaN where not evaluated)."""
    curves = Runs(_read(Path(path), "curves"), str(path))
    for name in ("run_id", "flops", "loss"):
        curves[name]
    return curves


def parse_columns(columns: str | Mapping[str, str] | None) -> dict[str, str]:
    """`n_params=N,loss=Final Loss` -> {"n_params": "N", "loss": "Final Loss"}. Raises DataError."""
    if columns is None or isinstance(columns, Mapping):
        return dict(columns or {})
    mapping = {}
    for part in filter(None, (part.strip() for part in columns.split(","))):
        ours, sign, theirs = part.partition("=")
        if not sign or not ours.strip() or not theirs.strip():
            raise DataError(
                f"columns: {part!r}; allowed: ours=theirs pairs separated by commas, as n_params=N,tokens=D"
            )
        mapping[ours.strip()] = theirs.strip()
    return mapping


def best_rate(runs: Runs) -> Runs:
    """Per (shape, budget, seed) the learning rate with the lowest loss; the rest excluded by name.

    A table that lacks one of width, depth and learning_rate comes back as it is.
    """
    if not {"width", "depth", "learning_rate"} <= set(runs.columns):
        return runs
    best: dict[tuple, int] = {}
    keys = group_keys(runs, ("seed", "data_seed"))
    for i, key in enumerate(keys):
        if key not in best or runs["loss"][i] < runs["loss"][best[key]]:
            best[key] = i
    return runs.select(np.array([best[key] == i for i, key in enumerate(keys)]), "not the best learning rate")


def group_keys(runs: Runs, more: Iterable[str] = ()) -> list[tuple]:
    """One hashable key a run: its shape and budget (tokens where there is no budget) and the columns in `more`."""
    names = [name for name in (*SHAPE, *more) if name in runs]
    budgets = runs["budget"] if "budget" in runs else np.full(len(runs), np.nan)
    own = np.where(np.isfinite(budgets.astype(float)), 0.0, runs["tokens"])
    columns = [runs[name] for name in names]  # NaN never equals itself, so it is no part of a key
    columns = [np.nan_to_num(values) if values.dtype.kind == "f" else values for values in columns]
    return list(zip(*(column.tolist() for column in (*columns, own)), strict=True))


def _read(path: Path, table: str) -> dict[str, np.ndarray]:
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; allowed: a sweep's workdir, .parquet, .csv or .jsonl")
    try:
        if path.is_dir():
            return _from_arrow(_read_workdir(path, table))
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            return _from_arrow(pq.read_table(path))
        if path.suffix == ".csv":
            return _read_csv(path)
        if path.suffix in (".jsonl", ".ndjson"):
            return _from_rows([json.loads(line) for line in path.read_text().splitlines() if line.strip()], path)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read: {error}".splitlines()[0]) from error
    raise DataError(f"{path}: {path.suffix or 'no suffix'}; allowed: a sweep's workdir, .parquet, .csv or .jsonl")


def _read_workdir(path: Path, table: str) -> Any:
    from scaling_laws import table as tables

    return tables.read_curves(path) if table == "curves" else tables.read_runs(path)


def _from_arrow(table: Any) -> dict[str, np.ndarray]:
    return {name: _typed(name, table[name].to_pylist()) for name in table.column_names}


def _read_csv(path: Path) -> dict[str, np.ndarray]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.reader(file))
    if len(rows) < 2:
        raise DataError(f"{path}: no rows; allowed: a header line and one line a run")
    header, body = rows[0], [row for row in rows[1:] if row]
    for number, row in enumerate(body, start=2):
        if len(row) != len(header):
            raise DataError(f"{path}: line {number} has {len(row)} fields; allowed: {len(header)}, as the header has")
    return {name: _typed(name, [row[k] for row in body]) for k, name in enumerate(header)}


def _from_rows(rows: list[Any], path: Path) -> dict[str, np.ndarray]:
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{path}: allowed: one JSON object a line, at least one")
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: _typed(name, [row.get(name) for row in rows]) for name in names}


def _typed(name: str, values: list[Any]) -> np.ndarray:
    """Floats where every present value is a number (missing: NaN), else text (missing: empty)."""
    if name in TEXT:
        return np.array(["" if value is None else str(value) for value in values], dtype=str)
    try:
        return np.array([np.nan if value is None or value == "" else float(value) for value in values])
    except (TypeError, ValueError):
        return np.array(["" if value is None else str(value) for value in values])


def _renamed(runs: Runs, mapping: dict[str, str]) -> Runs:
    columns = dict(runs.columns)
    for ours, theirs in mapping.items():
        if theirs not in runs.columns:
            raise DataError(
                f"{runs.source}: no column {theirs!r} (columns: {ours}={theirs}){nearest(theirs, runs.columns)}; "
                f"it has {', '.join(list(runs.columns)[:20])}"
            )
        columns[ours] = runs.columns[theirs]
    return dataclasses.replace(runs, columns=columns)


def _with_rows(runs: Runs) -> Runs:
    return runs if "row" in runs else runs.with_columns(row=np.arange(len(runs)))


def _checked(runs: Runs) -> Runs:
    """Finished rows with positive, finite N, D, C and loss; a missing one of N, D, C derived aloud."""
    if "status" in runs:
        status = runs["status"]
        runs = runs.select(status == "finished", lambda i: f"status {status[i] or 'missing'}")
    for name in POSITIVE:
        if name in runs and runs[name].dtype.kind not in "fiu":
            values = runs[name]
            raise DataError(
                f"{runs.source}: column {name!r} holds text such as {values[0]!r}; allowed: positive numbers"
            )
    runs = _completed(runs)
    for name in POSITIVE:
        values = runs[name]
        runs = runs.select(np.isfinite(values) & (values > 0), f"{name} is not a positive number")
    return runs


def _completed(runs: Runs) -> Runs:
    missing = [name for name in ("n_params", "tokens", "flops") if name not in runs]
    if len(missing) > 1:
        raise DataError(
            f"{runs.source}: no column {' nor '.join(missing)}; allowed: any two of n_params, tokens and flops"
            f"{nearest(missing[0], runs.columns)}; map them with --columns={missing[0]}=..."
        )
    if not missing:
        return runs
    c = runs.columns
    with np.errstate(divide="ignore", invalid="ignore"):
        if "tokens" in missing:
            derived, note = c["flops"] / (6 * c["n_params"]), "tokens are not in the table: D = C / (6 N)"
        elif "n_params" in missing:
            derived, note = c["flops"] / (6 * c["tokens"]), "n_params is not in the table: N = C / (6 D)"
        else:
            derived, note = 6 * c["n_params"] * c["tokens"], "flops are not in the table: C = 6 N D"
    return runs.with_columns(**{missing[0]: derived}).noted(note)


def _counts(runs: Runs) -> str:
    return "; ".join(f"{count} x {reason}" for reason, count in runs.excluded_counts().items()) or "nothing"
