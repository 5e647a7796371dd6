"""The documents of a unit, one after the other, as UTF-8 without the byte 0, which separates documents.

A text that is empty, or missing in its row, is an empty document: whoever reads leaves it out.
"""

import gzip
import json
from collections.abc import Iterator
from typing import IO, Any

from scaling_laws.corpora import storage
from scaling_laws.corpora.unit import MOST_DOCUMENT, SourceError, Unit, check_column, check_size
from scaling_laws.tasks import corpus

LONGEST_LINE = 2 * MOST_DOCUMENT + 2  # bytes: half of them may be escapes


def documents(unit: Unit, column: str) -> Iterator[bytes]:
    """The documents of a unit, always the same in the same order. Raises SourceError, saying where."""
    return READERS[unit.kind](unit, column)


def _files(unit: Unit, column: str) -> Iterator[bytes]:
    for path in unit.paths:
        yield _checked(storage.whole(unit.root, path), path, 0)


def _piece(unit: Unit, column: str) -> Iterator[bytes]:
    (path,) = unit.paths
    with storage.opened(unit.root, path) as file, storage.told(path):
        file.seek(unit.start)
        raw = file.read(unit.stop - unit.start)
    _checked(raw, path, unit.start)
    for start, stop in corpus.piece_bounds(raw, unit.piece_bytes):
        yield raw[start:stop]


def _lines(unit: Unit, column: str) -> Iterator[bytes]:
    """The lines that begin in the unit's bytes; the one that reaches in from before belongs to that unit."""
    (path,) = unit.paths
    with storage.opened(unit.root, path) as file, storage.told(path):
        at = _next_line(file, unit.start)
        while at < unit.stop:
            line = file.readline(LONGEST_LINE)
            if not line:
                return
            try:
                yield _of_line(line, column, path)
            except SourceError as error:
                raise SourceError(str(error).replace("LINE", f"line {_number(unit, at)}")) from None
            at += len(line)


def _next_line(file: IO[bytes], at: int) -> int:
    """Goes to the first line that begins at byte `at` or later, and says where that is."""
    if at:
        file.seek(at - 1)
        read = b""
        while not read.endswith(b"\n") and (read := file.readline(LONGEST_LINE)):
            at += len(read)
        at -= 1
    return at


def _packed_lines(unit: Unit, column: str) -> Iterator[bytes]:
    (path,) = unit.paths
    with storage.opened(unit.root, path) as file, storage.told(path), gzip.open(file) as lines:
        number = 0
        while line := lines.readline(LONGEST_LINE):
            number += 1
            try:
                yield _of_line(line, column, path)
            except SourceError as error:
                raise SourceError(str(error).replace("LINE", f"line {number}")) from None


def _rows(unit: Unit, column: str) -> Iterator[bytes]:
    from scaling_laws.corpora import parquet

    (path,) = unit.paths
    for number, text in enumerate(parquet.rows(unit.root, path, unit.start, unit.stop, column)):
        yield _of_text(text, path, f"row {number} of row groups {unit.start} to {unit.stop - 1}")


def _streamed(unit: Unit, column: str) -> Iterator[bytes]:
    from scaling_laws.corpora import hub

    dataset, configuration, split = unit.paths
    for number, text in enumerate(hub.rows(dataset, configuration, split, unit.start, unit.stop, column)):
        yield _of_text(text, dataset, f"row {number} of file {unit.start}")


READERS = {
    "files": _files,
    "piece": _piece,
    "lines": _lines,
    "packed_lines": _packed_lines,
    "rows": _rows,
    "streamed": _streamed,
}


def _of_line(line: bytes, column: str, path: str) -> bytes:
    """The document of a JSONL line; SourceError says LINE for its number, which is costly to find out."""
    if not line.strip():
        return b""
    check_size(len(line) // 2, path, "LINE")
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"--source: {path}, LINE is no JSON ({error}); allowed: an object a line") from None
    if not isinstance(record, dict):
        raise SourceError(f"--source: {path}, LINE is a {type(record).__name__}; allowed: an object a line")
    check_column(column, record, f"{path}, LINE")
    return _of_text(record[column], path, "LINE")


def _of_text(text: Any, path: str, where: str) -> bytes:
    if text is None:
        return b""
    if not isinstance(text, str):
        raise SourceError(f"--source: {path}, {where} holds a {type(text).__name__}; allowed: text")
    try:
        raw = text.encode()
    except UnicodeEncodeError as error:
        raise SourceError(f"--source: {path}, {where} is no Unicode at character {error.start}") from None
    check_size(len(raw), path, where)
    if wrong := corpus.separator_fault(raw):
        raise SourceError(f"--source: {path}, {where} {wrong}")
    return raw


def _checked(raw: bytes, path: str, start: int) -> bytes:
    """The bytes of a text file from `start` on."""
    if wrong := corpus.fault(raw, start):
        raise SourceError(f"--source: {path} {wrong}")
    return raw


def _number(unit: Unit, at: int) -> int:
    """The number of the line that begins at byte `at`, from 1."""
    (path,) = unit.paths
    count, left = 1, at
    with storage.opened(unit.root, path) as file:
        while left and (read := file.read(min(left, 1 << 20))):
            count, left = count + read.count(b"\n"), left - len(read)
    return count
