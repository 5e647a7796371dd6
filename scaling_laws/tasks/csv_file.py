"""A table in a CSV file, read strictly: what is not a table is refused, with the line.

UTF-8 with or without a byte order mark; commas between cells, quotes as in RFC 4180; lines end with LF, CRLF or CR. The
first line names the columns. White space around a name or a cell does not count, and blank lines are passed over.
"""

import csv
import dataclasses
import io
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from scaling_laws.config import ConfigError, nearest, said
from scaling_laws.disk import read_file

MISSING = frozenset(("", "?", "NA", "na", "N/A", "n/a", "NaN", "nan", "NAN", "NULL", "Null", "null"))
LARGEST = float(np.finfo(np.float32).max)  # what the inputs of a model can hold
SHOWN = 40  # characters of a cell in a message
FAULTS = {
    "unexpected end of data": "a quote that never ends; allowed: quotes in pairs",
    "',' expected after '\"'": "text after a closing quote; allowed: a comma, or the end of the line",
    "field larger than field limit": "a quote that never ends, or a cell of more than 131072 characters; allowed: less",
}


@dataclasses.dataclass(frozen=True)
class Csv:
    """Names of columns, rows of cells, and the line of the file on which each row begins (from 1)."""

    file: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]

    def column(self, name: str) -> tuple[str, ...]:
        """The cells (n,) of a column. Raises ValueError for a name that is none (`check_column`)."""
        index = self.header.index(name)
        return tuple(row[index] for row in self.rows)

    def check_column(self, name: str, setting: str = "task.target") -> None:
        """Raises ConfigError, with the nearest name, where no column is called `name`, the value of `setting`."""
        check_column(name, self.header, self.file, setting)

    def fault(self, row: int, name: str, what: str) -> ConfigError:
        """The error that the cell of a row in the column `name` deserves: `what` is wrong, and what is allowed."""
        return ConfigError(f"task.path: {self.file} line {self.lines[row]}, column {shown(name)}: {what}")


def read(path: str, others: Sequence[str] = ()) -> Csv:
    """The table at `path`, of one row or more.

    `others`: names that `task.path` may be instead. Raises ConfigError, naming the file, the line and the column, for
    what cannot be read, is not UTF-8, is empty, or is no table.
    """
    file = Path(os.path.expanduser(path))
    records = _records(file, _text(file, others))
    line, header = next(records, (0, []))
    if not header:
        raise ConfigError(f"task.path: {file} is empty; allowed: a CSV file with a header and rows")
    _check_header(f"task.path: {file} line {line}", header)
    lines, rows = [], []
    for line, cells in records:
        if cells == [""] and len(header) > 1:
            continue
        if len(cells) != len(header):
            raise ConfigError(
                f"task.path: {file} line {line}: cells: {len(cells)}; allowed: {len(header)}, as the header has"
            )
        lines.append(line)
        rows.append(tuple(cells))
    if not rows:
        raise ConfigError(f"task.path: {file} has a header and no rows; allowed: one row or more below it")
    return Csv(str(file), tuple(header), tuple(rows), tuple(lines))


def number(cell: str) -> float | None:
    """The finite number that a cell reads as, in plain decimal or scientific notation; None where it is none."""
    if not cell.isascii() or "_" in cell:  # Python's own notation
        return None
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.fabs(value) <= LARGEST else None


def shown(text: str) -> str:
    """A cell or a name in quotes, as a message shows it: on one line, and short."""
    return said(text if len(text) <= SHOWN else text[: SHOWN - 3] + "...")


def listed(names: Sequence[str], most: int = 12) -> str:
    """Names in quotes, separated by commas; of many the first."""
    more = f", ... ({len(names)} in all)" if len(names) > most else ""
    return ", ".join(shown(name) for name in names[:most]) + more


def check_column(name: str, header: Sequence[str], source: str, setting: str) -> None:
    """Raises ConfigError, with the nearest name, where no column of `source` is called `name`."""
    if name not in header:
        raise ConfigError(
            f"{setting}: {shown(name)} is no column of {source}; allowed: {listed(header)}{nearest(name, header)}"
        )


def _text(file: Path, others: Sequence[str]) -> str:
    allowed = ", ".join([*others, "a CSV file"])
    if os.path.isdir(file):
        raise ConfigError(f"task.path: {file} is a folder; allowed: {allowed}")
    try:
        raw = read_file(file)
    except FileNotFoundError:
        siblings = os.listdir(file.parent) if os.path.isdir(file.parent) else []
        near = nearest(file.name, [*others, *siblings])
        raise ConfigError(f"task.path: {file} does not exist; allowed: {allowed}{near}") from None
    except OSError as error:
        raise ConfigError(f"task.path: {file} cannot be read ({error.strerror}); allowed: {allowed}") from None
    if (at := raw.find(b"\0")) >= 0:
        raise ConfigError(f"task.path: {file} line {_line(raw, at)}: the byte 0; allowed: UTF-8 text")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = _line(error.object, error.start)
        raise ConfigError(f"task.path: {file} line {line}: not UTF-8 (byte {error.start}); allowed: UTF-8") from None


def _line(raw: bytes, at: int) -> int:
    """The line of the byte at `at`, from 1."""
    return len((raw[:at] + b".").splitlines())


def _records(file: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """(line on which it begins, stripped cells) of every record that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    line = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            fault = next((fault for start, fault in FAULTS.items() if str(error).startswith(start)), str(error))
            raise ConfigError(f"task.path: {file} line {line}: {fault}") from None
        if cells is None:
            return
        if cells:
            yield line, [cell.strip() for cell in cells]
        line = reader.line_num + 1


def _check_header(place: str, header: list[str]) -> None:
    for position, name in enumerate(header, 1):
        if not name:
            raise ConfigError(f"{place}: column {position} has no name; allowed: a name for each column")
        if (first := header.index(name) + 1) != position:
            raise ConfigError(
                f"{place}: columns {first} and {position} are both called {shown(name)}; allowed: each name once"
            )
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        raise ConfigError(f"{place}: one column, {shown(header[0])}; allowed: commas between the cells")
    values = [number(name) for name in header]
    counting = [values[0] + step if values[0] is not None else None for step in range(len(values))]
    if None not in values and values != counting:
        raise ConfigError(f"{place}: numbers where names should be, {listed(header, 3)}; allowed: a header")
