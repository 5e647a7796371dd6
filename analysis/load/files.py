"""A CSV, JSONL or Parquet file as columns. What is wrong with a file is said in one line that names its line."""

import csv
import io
import itertools
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from analysis.load.columns import from_arrow, typed
from analysis.load.runs import DataError
from scaling_laws.disk import is_endless

SUFFIXES = (".parquet", ".csv", ".jsonl", ".ndjson")
BATCH = 4096  # lines of JSON that are parsed together
MOST_COLUMNS = 20_000
BLOCK = 1 << 24  # bytes that Arrow parses at a time; a longer record is read by the csv module

Columns = dict[str, np.ndarray]


def read_file(path: Path) -> Columns:
    """The columns of a table. Raises DataError for a file that is none."""
    readers = {".parquet": _read_parquet, ".csv": _read_csv, ".jsonl": _read_jsonl, ".ndjson": _read_jsonl}
    if path.suffix not in readers:
        raise DataError(f"{path}: {path.suffix or 'no suffix'}; allowed: a sweep's workdir, .parquet, .csv or .jsonl")
    if is_endless(path):
        raise DataError(f"{path}: neither a file nor a folder; allowed: {', '.join(SUFFIXES)}")
    try:
        return readers[path.suffix](path)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: {_not_utf8(path)}; allowed: text in UTF-8") from error
    except (OSError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read: {error}".splitlines()[0]) from error


def _not_utf8(path: Path) -> str:
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            return f"line {number} is not UTF-8 (byte 0x{line[error.start]:02x} at {error.start + 1})"
    return "not UTF-8"


def _check_names(names: list[str], path: Path) -> None:
    if len(names) > MOST_COLUMNS:
        raise DataError(f"{path}: {len(names)} columns; allowed: at most {MOST_COLUMNS}")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"{path}: {twice[0]!r} names two columns; allowed: each name once")


def _read_parquet(path: Path) -> Columns:
    import pyarrow as pa

    from scaling_laws.table import packed

    try:
        table = packed.read(path)
        _check_names(table.column_names, path)
        return {name: from_arrow(name, table[name]) for name in table.column_names}
    except packed.Damaged as error:
        raise DataError(str(error)) from error
    except pa.ArrowException as error:
        raise DataError(f"{path}: cannot be read: {error}".splitlines()[0]) from error


def _read_csv(path: Path) -> Columns:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        header, lines = next(((row, reader.line_num) for row in reader if row), ([], 0))
    names = [name.strip() or f"column {number}" for number, name in enumerate(header, 1)]
    _check_names(names, path)
    columns = _by_arrow(path, names, lines)
    if columns is None:
        columns = _by_hand(path, names)
    if not len(next(iter(columns.values()), ())):
        raise DataError(f"{path}: no rows; allowed: a header line and one line a run")
    return columns


def _by_arrow(path: Path, names: list[str], skip: int) -> Columns | None:
    """The columns; None where Arrow refuses the file or sees no row in it."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    reading = arrow_csv.ReadOptions(column_names=names, skip_rows=skip, block_size=BLOCK)
    types = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
    )
    parsing = arrow_csv.ParseOptions(newlines_in_values=True)
    try:
        table = arrow_csv.read_csv(path, read_options=reading, parse_options=parsing, convert_options=types)
    except pa.ArrowInvalid:
        return None
    return {name: from_arrow(name, table[name]) for name in names}


def _by_hand(path: Path, names: list[str]) -> Columns:
    body = list(_records(path, len(names)))[1:]
    return {name: typed(name, [row[k] for row in body]) for k, name in enumerate(names)}


def _records(path: Path, width: int) -> Iterator[list[str]]:
    """Every record of a CSV, the header too. Raises DataError at the first that has not `width` fields."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        try:
            for row in filter(None, reader):
                if len(row) != width:
                    raise DataError(
                        f"{path}: line {reader.line_num} has {len(row)} fields; allowed: {width}, as the header has"
                    )
                yield row
        except csv.Error as error:
            raise DataError(f"{path}: line {reader.line_num}: {error}") from error


def _read_jsonl(path: Path) -> Columns:
    columns: dict[str, list[Any]] = {}
    count = 0
    with path.open(encoding="utf-8-sig") as file:
        for rows in _objects(file, path):
            _extend(columns, rows, count)
            count += len(rows)
    if not count:
        raise DataError(f"{path}: no rows; allowed: one JSON object a line, at least one")
    _check_names(list(columns), path)
    return {name: typed(name, values + [None] * (count - len(values))) for name, values in columns.items()}


def _extend(columns: dict[str, list[Any]], rows: list[dict[str, Any]], count: int) -> None:
    """Adds rows to columns that hold `count` values, or fewer where the last ones are missing."""
    for name in dict.fromkeys(name for row in rows for name in row):
        values = columns.setdefault(name, [])
        values.extend([None] * (count - len(values)))
        values.extend([row.get(name) for row in rows])


def _objects(file: io.TextIOBase, path: Path) -> Iterator[list[dict[str, Any]]]:
    """The objects of the lines, in batches. A batch that is not plainly one object a line is read line by line."""
    numbered = ((number, line) for number, line in enumerate(file, 1) if line.strip())
    while batch := list(itertools.islice(numbered, BATCH)):
        try:
            rows = json.loads(f"[{','.join(line for _, line in batch)}]")
        except (ValueError, RecursionError):
            rows = []
        if len(rows) != len(batch) or not all(isinstance(row, dict) for row in rows):
            rows = [_object(line, number, path) for number, line in batch]
        yield rows


def _object(line: str, number: int, path: Path) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: line {number} is not JSON; allowed: one JSON object a line") from error
    if not isinstance(row, dict):
        raise DataError(f"{path}: line {number} is no JSON object; allowed: one JSON object a line")
    return row
