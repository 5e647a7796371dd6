"""The ledger: one checksummed line a forecast, each with the hash of the line before it; lines are only added.

A line that was changed no longer matches its checksum, and one that was removed, added or moved breaks the chain. What
a chain alone cannot show is that its end was cut off, or that all of it was written anew: keep the `head` elsewhere (a
commit, a mail) where that matters.
"""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from analysis.forecasts.record import Record, read_record
from analysis.load import DataError
from scaling_laws.disk import read_file, replace_file
from scaling_laws.sealed import seal, unseal

NAME = "forecasts.jsonl"  # in a folder
ONLY = "allowed: lines as they were registered"


def path_of(text: str) -> Path:
    """The ledger that a word on the command line names: a file, or that of a workdir."""
    path = Path(text)
    return path / NAME if path.is_dir() else path


def read(path: Path) -> tuple[Record, ...]:
    """All forecasts ever made, in order. Raises DataError naming the first line that is not as it was written."""
    if not path.exists():
        raise DataError(f"{path}: no such ledger; allowed: what python -m analysis.predict --register writes")
    return _parse(read_file(path), str(path))


def head(path: Path) -> str:
    """The hash of the last line, which stands for all lines."""
    return _hash(read_file(path).splitlines()[-1])


def add(path: Path, record: Record) -> Record:
    """Append a record, whole or not at all, and on the disk on return; what stands there.

    That is an earlier one where it says the same. Raises DataError as `read`, OSError where it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path):
        before = read_file(path) if path.exists() else b""
        for standing in _parse(before, str(path)):
            if standing.says_the_same(record):
                return standing
        previous = _hash(before.splitlines()[-1]) if before else ""
        replace_file(path, before + seal({"previous": previous} | record.to_json()))
    return record


def _parse(data: bytes, where: str) -> tuple[Record, ...]:
    lines, records, previous = data.split(b"\n"), [], ""
    for number, line in enumerate(lines[:-1], 1):
        body, place = unseal(line), f"{where}: line {number}"
        if body is None:
            raise DataError(f"{place}: damaged, or changed since it was written; {ONLY}")
        if body.get("previous") != previous:
            said = "of another ledger, or moved" if number == 1 else "a line before it was removed, added or moved"
            raise DataError(f"{place}: does not follow line {number - 1}: {said}; {ONLY}")
        records.append(read_record(body, place))
        previous = _hash(line)
    if lines[-1]:
        raise DataError(f"{where}: line {len(lines)}: cut short; {ONLY}")
    return tuple(records)


def _hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time; the others wait."""
    handle = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
