"""Columns of a table: which are numbers and which are words, and how they become the inputs of a model.

Whatever is computed of a column (what stands for a missing number, mean and deviation) is computed of the train split
alone. The levels of a column of words are those of the whole table, sorted, so that every split has the same inputs.
"""

import dataclasses
import hashlib
import math
from collections.abc import Sequence

import numpy as np

from scaling_laws.config import ConfigError
from scaling_laws.tasks.csv_file import LARGEST, MISSING, Csv, listed, number, shown

MOST_LEVELS = 1000
MISSING_CELL = "empty, NA, N/A, nan, null or ?"


@dataclasses.dataclass(frozen=True, eq=False)
class Numbers:
    """`values` (n,) float64, NaN where a cell is missing."""

    name: str
    values: np.ndarray

    @property
    def missing(self) -> np.ndarray:
        """(n,) true where a cell is missing."""
        return np.isnan(self.values)


@dataclasses.dataclass(frozen=True, eq=False)
class Words:
    """`values` (n,) of words, the empty one where a cell is missing."""

    name: str
    values: tuple[str, ...]

    @property
    def missing(self) -> np.ndarray:
        """(n,) true where a cell is missing."""
        return np.array([not word for word in self.values], bool)


Column = Numbers | Words


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """Columns of equal length.

    `source`: what messages call it. `lines`: the line of each row in its file, or its number. `target`: the column
    that is predicted. `classes`: what the target's whole numbers from 0 mean, where they mean something.
    """

    source: str
    columns: tuple[Column, ...]
    lines: Sequence[int]
    target: str
    classes: tuple[str, ...] = ()

    def column(self, name: str) -> Column:
        """The column called `name`. Raises KeyError."""
        return {column.name: column for column in self.columns}[name]


def typed(csv: Csv, name: str, mixed: bool = False) -> Column:
    """The column `name` as numbers where all its cells are, else as words.

    A column half of whose cells, or more, are numbers must have no others: raises ConfigError with the first word,
    unless it may be `mixed`, which makes it words.
    """
    cells, values = _read(csv, name)
    bad = [row for row, value in enumerate(values) if value is None]
    there = sum(cell not in MISSING for cell in cells)
    if bad and (mixed or 2 * len(bad) > there):
        return Words(name, tuple("" if cell in MISSING else cell for cell in cells))
    if bad:
        raise _no_number(csv, name, bad[0], f", as {there - len(bad)} of the column's {there} cells are")
    return Numbers(name, np.array(values, np.float64))


def numbers(csv: Csv, name: str) -> Numbers:
    """The column `name`, whose every cell is a number or missing. Raises ConfigError with the first that is neither."""
    _, values = _read(csv, name)
    if None in values:
        raise _no_number(csv, name, values.index(None), "")
    return Numbers(name, np.array(values, np.float64))


def row_digests(columns: Sequence[Column], n_rows: int) -> np.ndarray:
    """(n, 32) uint8: SHA-256 of each row's values, whatever the levels of the other rows."""
    values = [column.values + 0.0 for column in columns if isinstance(column, Numbers)]  # + 0: there is no -0
    words = [column.values for column in columns if isinstance(column, Words)]
    values_NxC = np.column_stack(values) if values else np.zeros((n_rows, 0))
    found = bytearray()
    for row in range(n_rows):
        text = "\0".join(column[row] for column in words)
        found += hashlib.sha256(values_NxC[row].tobytes() + text.encode()).digest()
    return np.frombuffer(bytes(found), np.uint8).reshape(n_rows, 32)


def raw(columns: Sequence[Column]) -> list[np.ndarray]:
    """The columns' names and values as arrays, for `examples.content_hash`."""
    values = [c.values if isinstance(c, Numbers) else as_bytes(c.values) for c in columns]
    return [as_bytes([column.name for column in columns]), *values]


def as_bytes(words: Sequence[str]) -> np.ndarray:
    """Words as one array of their bytes, for `examples.content_hash`."""
    return np.frombuffer("\0".join(words).encode(), np.uint8)


def imputed(column: Numbers, train: np.ndarray, how: str) -> tuple[np.ndarray, str]:
    """`values` (n,) with the missing ones replaced, and a note that says by what; empty where there are none.

    `train`: the rows that median or mean are taken of. `how`: as `task.impute`. Raises ConfigError where it refuses,
    or where no row of them has a value.
    """
    missing = column.missing
    count = int(missing.sum())
    if not count:
        return column.values, ""
    seen = column.values[train][~missing[train]]
    if how == "refuse":
        raise _refused(column.name, count)
    if how != "zero" and not len(seen):
        raise ConfigError(
            f"task.impute: {how}; allowed: zero, or task.ignore={column.name}, for column {shown(column.name)} has no "
            "value in the train split"
        )
    value = {"median": np.median, "mean": np.mean, "zero": lambda _: 0.0}[how](seen)
    origin = "" if how == "zero" else f", the {how} of the train split"
    note = f"column {shown(column.name)}: {count} missing, each taken for {value:.9g}{origin}"
    return np.where(missing, value, column.values), note


def one_hot(column: Words) -> tuple[np.ndarray, tuple[str, ...]]:
    """(n, levels) float32, a single 1 in each row, and the sorted levels; a missing word is the level ''."""
    levels, codes = np.unique(np.array(column.values, object), return_inverse=True)
    return np.eye(len(levels), dtype=np.float32)[codes], tuple(levels)


def moments(train: np.ndarray) -> tuple[float, float]:
    """Mean and deviation of values (n,), in float64; the deviation is 0 exactly where they are all equal."""
    if train.min() == train.max():
        return float(train[0]), 0.0
    return float(train.mean()), float(train.std())


def standardise(values: np.ndarray, mean: float, deviation: float, what: str) -> np.ndarray:
    """(values - mean) / deviation as float32, not divided where the deviation is 0.

    Raises ConfigError, naming `what`, for a result that float32 does not hold.
    """
    with np.errstate(over="ignore"):  # refused below
        found = (values - mean) / (deviation or 1.0)
    if np.abs(found).max() > LARGEST:
        raise ConfigError(
            f"task.path: {what}, standardised, has values that no float32 holds; allowed: values nearer those of the "
            "train split"
        )
    return found.astype(np.float32)


def standard_note(what: str, mean: float, deviation: float) -> str:
    """The note that tells how to undo `standardise`."""
    return f"{what} standardised by the train split: mean {mean:.9g}, deviation {deviation:.9g}"


def encode(
    columns: Sequence[Column], train: np.ndarray, impute: str, scaled: bool, source: str
) -> tuple[np.ndarray, list[str]]:
    """Inputs (n, F) float32 in the order of the columns, and notes.

    A number is imputed and, if `scaled`, standardised by the rows `train`; a word becomes as many numbers as its column
    has levels. Raises ConfigError for a column without a value, for words that hardly repeat, and where `impute`
    refuses.
    """
    _check_inputs(columns, source)
    parts, notes, levels_of = [], [], []
    for column in columns:
        count = int(column.missing.sum())
        if isinstance(column, Numbers):
            values, note = imputed(column, train, impute)
            mean, deviation = moments(values[train]) if scaled else (0.0, 1.0)
            parts.append(standardise(values, mean, deviation, f"column {shown(column.name)} of {source}")[:, None])
        else:
            if count and impute == "refuse":
                raise _refused(column.name, count)
            hot, levels = one_hot(column)
            parts.append(hot)
            note = f"column {shown(column.name)}: {count} missing, a level of its own" if count else ""
            levels_of.append(f"{shown(column.name)} {len(levels)}")
        notes += [note] if note else []
    if levels_of:
        notes.append(f"levels of words: {', '.join(levels_of)}")
    constant = [column.name for column, part in zip(columns, parts, strict=True) if (part == part[0]).all()]
    if constant:
        notes.append(f"columns that are constant: {listed(constant)}")
    return np.concatenate(parts, axis=1), notes


def _read(csv: Csv, name: str) -> tuple[tuple[str, ...], list[float | None]]:
    """The cells of a column, and their numbers: NaN for a missing one, None for a word."""
    cells = csv.column(name)
    return cells, [math.nan if cell in MISSING else number(cell) for cell in cells]


def _no_number(csv: Csv, name: str, row: int, while_others: str) -> ConfigError:
    word = shown(csv.column(name)[row])
    return csv.fault(
        row,
        name,
        f"{word} is not a number{while_others}; allowed: a finite number, or {MISSING_CELL} where it is missing",
    )


def _check_inputs(columns: Sequence[Column], source: str) -> None:
    """Raises ConfigError for a column without a value, and for columns that look like free text or an identifier."""
    for column in columns:
        if column.missing.all():
            raise ConfigError(
                f"task.path: {source}: column {shown(column.name)} has no values; allowed: one at least, or "
                f"task.ignore={column.name}"
            )
    wide = [column.name for column in columns if isinstance(column, Words) and _is_wide(column)]
    if not wide:
        return
    which = f"column {listed(wide)} holds" if len(wide) == 1 else f"columns {listed(wide)} hold"
    last = "; task.name=labelled_text reads a column of text" if len(wide) == len(columns) else ""
    raise ConfigError(
        f"task.path: {source}: {which} more than {MOST_LEVELS} different words, or none twice, as free text or an "
        f"identifier does; allowed: task.ignore={','.join(wide)} to leave out, or fewer words{last}"
    )


def _is_wide(column: Words) -> bool:
    present = [word for word in column.values if word]
    return len(set(present)) > MOST_LEVELS or (len(present) > 1 and len(set(present)) == len(present))


def _refused(name: str, count: int) -> ConfigError:
    return ConfigError(
        f"task.impute: refuse; allowed: median, mean, zero, or a table without missing cells: column {shown(name)} has "
        f"{count}"
    )
