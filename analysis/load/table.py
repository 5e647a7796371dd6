"""From columns to runs that can be fitted: renamed, completed by C = 6 N D, checked, and selected."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis import where as expressions
from analysis.load import curves, sources
from analysis.load.columns import texts
from analysis.load.runs import DataError, Runs, row_list
from analysis.load.units import units

SIZES = ("n_params", "tokens", "flops")
NEEDS = (*SIZES, "loss")
FITTED = ("finished",)
WENT_BAD = ("dead", "spiked")  # at their horizon too, but nothing to fit a law to
SMALLEST = 1e-100  # which is no size and no loss: beyond it and its inverse, sums of squares overflow
THIRD = {
    "n_params": "n_params is not in the table: N = C / (6 D)",
    "tokens": "tokens are not in the table: D = C / (6 N)",
    "flops": "flops are not in the table: C = 6 N D",
}


def runs_from(columns: Mapping[str, Any], source: str = "memory", needs: Sequence[str] = NEEDS) -> Runs:
    """Runs of arrays or lists, completed and checked as `load` does."""
    runs = Runs({name: np.asarray(values) for name, values in columns.items()}, source)
    return _of_one_unit(_checked(runs, needs, (), FITTED), needs)


def load(
    path: str | Path,
    columns: str | Mapping[str, str] | None = None,
    where: str | None = None,
    needs: Sequence[str] = NEEDS,
    nonnegative: Sequence[str] = (),
    statuses: Sequence[str] = FITTED,
) -> Runs:
    """The runs in `path`: a sweep's workdir, a .parquet, .csv or .jsonl file, TensorBoard logs or a W&B export.

    `columns` maps this project's names to the table's; `where` keeps rows for which an expression holds. Rows of other
    `statuses`, where the table has that column, and without a positive, finite number in each column of `needs` (zero
    too in those of `nonnegative`) are left out by name; where it needs two of N, D and C, the third counts too.
    Raises DataError for an unreadable file, an unknown column, text in a needed one, a table without usable rows or,
    where it needs the loss, with losses of more than one unit, and ConfigError for a bad expression.
    """
    found = sources.read(Path(path))
    runs = _renamed(Runs(found.columns, str(path), notes=found.notes), parse_columns(columns))
    runs = _checked(_numbered(runs), needs, nonnegative, statuses)
    if where:
        runs = runs.select(expressions.rows_where(where, runs.columns, len(runs)), f"not {where}")
    if not len(runs):
        raise DataError(f"{path}: no usable row is left; left out: {_counts(runs)}")
    return _of_one_unit(runs, needs)


def load_curves(path: str | Path, columns: str | Mapping[str, str] | None = None) -> Runs:
    """Training curves: columns run_id, step, flops, loss (NaN where not evaluated), and what else was logged.

    `columns` maps as in `load`, by the names on the curves; names that only the runs have count for N, D and C of the
    runs. Raises DataError where there are no curves, or no loss or flops on them that could be had.
    """
    found, mapping = sources.read_points(Path(path)), parse_columns(columns)
    points, runs = Runs(found.points or {}, str(path), notes=found.notes), Runs(found.columns, str(path))
    for theirs in mapping.values():
        if found.columns and theirs not in points and theirs not in runs:
            raise DataError(f"{path}: {points.lacks(theirs)}")
    points = _renamed(points, {ours: theirs for ours, theirs in mapping.items() if theirs in points})
    runs = _renamed(runs, {ours: theirs for ours, theirs in mapping.items() if theirs in runs})
    points["run_id"]
    return curves.completed(points, _completed(runs))


def parse_columns(columns: str | Mapping[str, str] | None) -> dict[str, str]:
    """`n_params=N,loss=Final Loss` -> {"n_params": "N", "loss": "Final Loss"}. Raises DataError."""
    if columns is None or isinstance(columns, Mapping):
        return dict(columns or {})
    mapping: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in columns.split(","))):
        ours, sign, theirs = (word.strip() for word in part.partition("="))
        if not sign or not ours or not theirs:
            raise DataError(
                f"columns: {part!r}; allowed: ours=theirs pairs separated by commas, as n_params=N,tokens=D"
            )
        if ours in mapping:
            raise DataError(f"columns: {ours!r} stands for {mapping[ours]!r} and for {theirs!r}; allowed: one of them")
        mapping[ours] = theirs
    return mapping


def _renamed(runs: Runs, mapping: Mapping[str, str]) -> Runs:
    columns = dict(runs.columns)
    for ours, theirs in mapping.items():
        if theirs not in runs.columns:
            raise DataError(f"{runs.source}: {runs.lacks(theirs)} (columns: {ours}={theirs})")
        columns[ours] = runs.columns[theirs]
    return dataclasses.replace(runs, columns=columns)


def _numbered(runs: Runs) -> Runs:
    """With the column `row`; the table's own column of that name is kept as `table_row`."""
    own = {}
    if "row" in runs:
        own = {"table_row": runs["row"]}
        runs = runs.noted("the table's column 'row' is read as 'table_row'; row numbers its rows from 1")
    return runs.with_columns(**own, row=np.arange(1, len(runs) + 1))


def _checked(runs: Runs, needs: Sequence[str], nonnegative: Sequence[str], statuses: Sequence[str]) -> Runs:
    """Rows of these statuses with usable numbers in every needed column; a missing one of N, D and C derived aloud."""
    if "status" in runs:
        status = texts(runs["status"])
        words = [f"status {word or 'missing'}" for word in status.tolist()]
        runs = runs.select(np.isin(status, statuses), np.array(words, dtype=object))
    named = [name for name in dict.fromkeys((*needs, *nonnegative)) if name in runs]
    runs = runs.with_columns(**{name: runs.only_numbers(name) for name in named})
    if set(SIZES) & {*needs}:
        runs = _without_gaps(runs)
        _derivable(runs, needs)
    runs = _completed(runs)
    surface = len(set(SIZES) & {*needs}) > 1  # whose frontier reads N, D and C
    for name in dict.fromkeys((*needs, *(name for name in SIZES if surface and name in runs))):
        runs = usable(runs, name)
    for name in nonnegative:
        runs = usable(runs, name, zero=True)
    return runs


def _of_one_unit(runs: Runs, needs: Sequence[str]) -> Runs:
    """The same runs. Raises DataError where losses are needed and have unlike units."""
    if "loss" in needs:
        units(runs)
    return runs


def usable(runs: Runs, name: str, zero: bool = False) -> Runs:
    """Rows whose `name` is positive and finite (or 0, with `zero`); the others excluded, said with their numbers.

    So are those of which a product or a square would be no number any more. Raises DataError where there is no such
    column, or text in it.
    """
    runs = runs.with_columns(**{name: runs.only_numbers(name)})
    if name == "loss" and not zero:
        runs = _kept(runs, name, runs[name] != 0, "a loss of 0 has no logarithm")
    values = runs[name]
    good = np.isfinite(values) & ((values >= 0) if zero else (values > 0))
    runs = _kept(runs, name, good, f"{name} is not {'a number from 0 on' if zero else 'a positive number'}")
    size = runs.numbers(name)
    within = ((size >= SMALLEST) | (size == 0)) & (size <= 1 / SMALLEST)
    return _kept(runs, name, within, f"{name} is not within {SMALLEST:g} and {1 / SMALLEST:g}")


def _kept(runs: Runs, name: str, good: np.ndarray, reason: str) -> Runs:
    """Rows that are good; the others excluded, and said with their numbers and the first value of `name`."""
    if good.all():
        return runs
    said = f"left out: {reason} in {row_list(runs.rows[~good])} (first: {runs[name][~good][0]:g})"
    return runs.select(good, reason).noted(said)


def _without_gaps(runs: Runs) -> Runs:
    """Without those of N, D and C that are there in name alone: no row has one."""
    empty = [name for name in SIZES if name in runs and runs[name].dtype.kind == "f" and np.isnan(runs[name]).all()]
    return dataclasses.replace(runs, columns={name: v for name, v in runs.columns.items() if name not in empty})


def _derivable(runs: Runs, needs: Sequence[str]) -> None:
    """Raises DataError where a needed one of N, D and C is neither there nor follows from the other two."""
    missing = [name for name in SIZES if name not in runs]
    wanted = [name for name in missing if name in needs]
    if wanted and len(missing) > 1:
        raise DataError(
            f"{runs.source}: no column {' nor '.join(missing)}; allowed: any two of n_params, tokens and flops; "
            f"{runs.lacks(wanted[0])}; map it with --columns={wanted[0]}=..."
        )


def _completed(runs: Runs) -> Runs:
    """With the third of N, D and C where two are there: C = 6 N D."""
    missing = [name for name in SIZES if name not in runs]
    if len(missing) != 1 or any(runs[name].dtype.kind not in "fiu" for name in SIZES if name in runs):
        return runs
    n, d, c = (runs.numbers(name) for name in SIZES)
    with np.errstate(all="ignore"):
        third = {"n_params": c / (6 * d), "tokens": c / (6 * n), "flops": 6 * n * d}[missing[0]]
    return runs.with_columns(**{missing[0]: third}).noted(THIRD[missing[0]])


def _counts(runs: Runs) -> str:
    return "; ".join(f"{count} x {reason}" for reason, count in runs.excluded_counts().items()) or "nothing"
