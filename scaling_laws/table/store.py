"""The runs table as Arrow tables: from a journal, Parquet, CSV or JSONL, and compacted to Parquet."""

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from scaling_laws.sealed import OPENING
from scaling_laws.table import journal, packed
from scaling_laws.table.journal import JOURNAL, Say, warn
from scaling_laws.table.schema import (
    CURVES,
    DEFAULTS,
    RUNS,
    TableError,
    check_names,
    result_columns,
)

RUNS_FILE = "runs.parquet"
CURVES_FILE = "curves.parquet"
PART = 1000  # records whose Python values are held at a time
JOURNAL_BYTES = b"scaling_laws.journal_bytes"  # how long the journal was that a Parquet file was made of


def compact(workdir: str | os.PathLike, say: Say = warn) -> None:
    """Write runs.parquet and curves.parquet from the journal of `workdir`: each atomically, ordered by run_id, step."""
    folder = Path(workdir)
    path = folder / JOURNAL
    if not path.exists():
        raise TableError(f"{folder}: no {JOURNAL} to compact")
    with journal.reading(path, say) as scan:
        runs, curves = _tables(scan)
    for name, table in ((CURVES_FILE, curves), (RUNS_FILE, runs)):
        metadata = {**table.schema.metadata, JOURNAL_BYTES: str(scan.end).encode()}
        packed.write(table.replace_schema_metadata(metadata), folder / name)


def read_runs(path: str | os.PathLike, say: Say = warn) -> pa.Table:
    """The runs at `path`, in the schema RUNS, sorted by run_id; what a file lacks is at its default, or null.

    `path`: a workdir (the journal, unless its Parquet is up to date), or a .parquet, .csv or .jsonl of these columns.
    Raises TableError when it is none of them, a newer version wrote it, a column is unknown, or a run is there twice.
    """
    table = _read(Path(path), RUNS, RUNS_FILE, say)
    ids = table["run_id"].to_pylist()
    if ids != sorted(ids):  # what this program wrote is sorted
        table = table.sort_by("run_id")
        ids.sort()
    for early, late in itertools.pairwise(ids):
        if early == late:
            raise TableError(f"{path}: run {late!r} is there twice; allowed: one row a run")
    return table


def read_curves(path: str | os.PathLike, say: Say = warn) -> pa.Table:
    """The points of all curves at `path`, in the schema CURVES, sorted by run_id and step; else as read_runs."""
    table = _read(Path(path), CURVES, CURVES_FILE, say)
    return table.sort_by([("run_id", "ascending"), ("step", "ascending")])


def result_hash(table: pa.Table) -> str:
    """SHA-256 (hexadecimal) of the result columns of a runs or curves table, whatever the order of its rows."""
    names = set(table.column_names)
    columns = [name for name in result_columns(CURVES if "step" in names else RUNS) if name in names]
    rows = [json.dumps(row, sort_keys=True) for row in table.select(columns).to_pylist()]
    return hashlib.sha256("\n".join(sorted(rows)).encode()).hexdigest()


def _read(path: Path, schema: pa.Schema, parquet: str, say: Say) -> pa.Table:
    if path.is_dir():
        return _read_workdir(path, schema, path / parquet, say)
    return _read_file(path, schema, say)


def _read_file(path: Path, schema: pa.Schema, say: Say) -> pa.Table:
    if not path.is_file():
        raise TableError(f"{path}: no such file; allowed: a workdir, or a .parquet, .csv or .jsonl of runs")
    readers = {".parquet": _read_parquet, ".csv": _read_csv, ".jsonl": _read_jsonl}
    if path.suffix not in readers:
        raise TableError(f"{path}: unknown kind of file {path.suffix!r}; allowed: {', '.join(readers)}")
    return _conformed(path, schema, lambda: readers[path.suffix](path, schema, say))


def _conformed(path: Path, schema: pa.Schema, read: Callable[[], pa.Table]) -> pa.Table:
    """What `read` finds in the file `path`, in exactly this schema."""
    try:
        return _conform(read(), schema, str(path))
    except (pa.ArrowException, OSError, UnicodeError, OverflowError) as error:  # Arrow raises all of these
        first = str(error).splitlines()[0]
        raise TableError(f"{path}: not a readable {path.suffix[1:]} of these columns: {first}") from error


def _read_workdir(folder: Path, schema: pa.Schema, file: Path, say: Say) -> pa.Table:
    """The table of a workdir: its Parquet where that is sound and was made of the whole journal, else the journal."""
    log = folder / JOURNAL
    if not log.is_file():
        if not file.is_file():
            raise TableError(f"{folder}: no runs here; expected {JOURNAL} or {file.name}")
        return _read_file(file, schema, say)
    if not file.is_file():
        return _read_file(log, schema, say)
    try:
        table = packed.read(file)
    except packed.Damaged as error:
        say(f"{error}; the runs are read from {JOURNAL}")
        return _read_file(log, schema, say)
    said, size = (table.schema.metadata or {}).get(JOURNAL_BYTES, b""), log.stat().st_size
    made_of = int(said) if said.isdigit() else 0
    if made_of > size:
        say(f"{log}: has lost {made_of - size} bytes since {file.name} was made of it; the runs are read from that one")
        return _conformed(file, schema, lambda: table)
    current = made_of == size and file.stat().st_mtime_ns > log.stat().st_mtime_ns
    return _conformed(file, schema, lambda: table) if current else _read_file(log, schema, say)


def _read_parquet(path: Path, schema: pa.Schema, say: Say) -> pa.Table:
    return packed.read(path)


def _read_csv(path: Path, schema: pa.Schema, say: Say) -> pa.Table:
    from pyarrow import csv

    types = {field.name: field.type for field in schema if not pa.types.is_list(field.type)}  # a CSV has no lists
    nulls = csv.ConvertOptions(
        column_types=types, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
    )
    return csv.read_csv(path, convert_options=nulls)


def _read_jsonl(path: Path, schema: pa.Schema, say: Say) -> pa.Table:
    """A journal (wherever it was copied to), or lines of plain JSON objects."""
    with path.open("rb") as file:
        checksummed = file.read(len(OPENING)) == OPENING
    if checksummed or path.name == JOURNAL:
        with journal.reading(path, say, curves=schema is not RUNS) as scan:
            return _tables(scan)[schema is not RUNS]
    from pyarrow import json as arrow_json

    return arrow_json.read_json(path)


def _conform(table: pa.Table, schema: pa.Schema, where: str) -> pa.Table:
    """The table in exactly this schema: columns known, in order, of the right type, gaps at their defaults."""
    check_names(table.column_names, schema.names, where)
    for name in ("run_id", "step"):
        if name in schema.names and (name not in table.column_names or table[name].null_count):
            raise TableError(f"{where}: column {name!r} is missing or has gaps; every row needs it")
    columns = []
    for field in schema:
        known = field.name in table.column_names
        column = table[field.name].cast(field.type) if known else pa.nulls(len(table), field.type)
        default = DEFAULTS.get(field.name) if schema is RUNS else None
        columns.append(column if default is None else column.fill_null(default))
    return pa.table(columns, schema=schema)


def _tables(records: Iterable[dict[str, Any]]) -> tuple[pa.Table, pa.Table]:
    """Runs by run_id and points by run_id and step, of the last record of each run; a part of them at a time, whose
    Python values take several times the room."""
    ids: list[str] = []
    lengths: list[int] = []
    runs, curves = [RUNS.empty_table()], [CURVES.empty_table()]
    for part in _parts(records):
        ids += [record["run"]["run_id"] for record in part]
        lengths += [len(record["curve"]) for record in part]
        runs.append(pa.Table.from_pylist([record["run"] for record in part], schema=RUNS))
        points = [{"run_id": record["run"]["run_id"], **point} for record in part for point in record["curve"]]
        curves.append(pa.Table.from_pylist(points, schema=CURVES))
    last = {run_id: i for i, run_id in enumerate(ids)}
    order = [last[run_id] for run_id in sorted(last)]
    begins = [0, *itertools.accumulate(lengths)]
    points_of = [place for i in order for place in range(begins[i], begins[i + 1])]
    return _picked(runs, order), _picked(curves, points_of)


def _picked(parts: list[pa.Table], rows: list[int]) -> pa.Table:
    return pa.concat_tables(parts).combine_chunks().take(pa.array(rows, pa.int64()))


def _parts(records: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    remaining = iter(records)
    while part := list(itertools.islice(remaining, PART)):
        yield part
