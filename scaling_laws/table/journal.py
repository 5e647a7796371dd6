"""The journal: an append-only file of checksummed lines, one a run with its curve, that survives kill -9.

Each line is JSON and begins with the checksum of the rest of it, so that every line stands for itself: a torn
tail costs nothing before it, and a damaged line in the middle costs only the run that it held.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import io
import itertools
import json
import os
import platform
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from scaling_laws import provenance
from scaling_laws.disk import sync_folder
from scaling_laws.progress import Progress
from scaling_laws.sealed import seal, unseal, unsealed
from scaling_laws.table.schema import ABSENT, CURVE_COLUMNS, RUN_COLUMNS, VERSION, TableError, check_version, checked

JOURNAL = "journal.jsonl"
LOCK = "journal.lock"

MEGABYTE = 1_000_000
LARGE = 64 * MEGABYTE  # bytes of a journal that takes seconds to read: how far it is is shown

Say = Callable[[str], None]
_RUN, _CURVES, _DECODER = b'"run":', (',"curve":[{', ',"curve":[]}'), json.JSONDecoder()


def warn(line: str) -> None:
    """Say a line on standard error."""
    print(line, file=sys.stderr, flush=True)


@dataclasses.dataclass(frozen=True)
class Damage:
    """A line that does not match its checksum: its number (from 1) and the bytes [start, end) it occupies."""

    line: int
    start: int
    end: int


@dataclasses.dataclass(frozen=True)
class Contents:
    """What a journal holds: its intact records in order, its damaged lines, where the last intact line ends."""

    records: tuple[dict[str, Any], ...]
    damage: tuple[Damage, ...]
    end: int


class Scan:
    """The records in the lines of a journal, in order, one at a time; on the way `damage` fills and `end` moves on.

    Without `curves` the curve of a record is neither parsed nor there. Raises TableError when a newer version wrote the
    journal, or a line is no run.
    """

    def __init__(self, lines: Iterable[bytes], where: str, curves: bool = True):
        self._lines, self._where, self._curves = lines, where, curves
        self.damage: list[Damage] = []
        self.end = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        start = 0
        for number, line in enumerate(self._lines, 1):
            stop, text = start + len(line), line.removesuffix(b"\n")
            record = (None if self._curves else _without_curve(text)) or unseal(text)
            if record is None and text:
                self.damage.append(Damage(number, start, stop))
            elif record is not None:
                self.end = stop
                check_version(record.pop("version", VERSION), self._where)
                if "run" in record:
                    yield _run_record(record, f"{self._where}: line {number}")
            start = stop


def parse(data: bytes, where: str) -> Contents:
    """All intact lines of a journal. Raises as `Scan`."""
    scan = Scan(io.BytesIO(data), where)
    records = tuple(scan)
    return Contents(records, tuple(scan.damage), scan.end)


def _without_curve(line: bytes) -> dict[str, Any] | None:
    """The record of an intact line but for its curve, which is most of it; None where that takes a closer look."""
    body = unsealed(line)
    if body is None or not body.startswith(_RUN):
        return None
    text = body.decode("ascii", "replace")  # as `seal` writes it
    try:
        run, at = _DECODER.raw_decode(text, len(_RUN))
    except (ValueError, RecursionError):
        return None
    return {"run": run, "curve": []} if text.startswith(_CURVES, at) else None


def _run_record(record: dict[str, Any], where: str) -> dict[str, Any]:
    """The record of a run. Raises TableError where it is none, though its checksum is right."""
    run, curve = record["run"], record.get("curve")
    named = isinstance(run, dict) and all(isinstance(run.get(name), str) for name in ("run_id", "status"))
    if not named or not isinstance(curve, list) or not all(isinstance(point, dict) for point in curve):
        raise TableError(f"{where}: no run with a run_id, a status and a curve; allowed: what this program wrote")
    return record


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a journal."""
    total = os.fstat(file.fileno()).st_size
    if total < LARGE:
        yield from file
        return
    with Progress(total // MEGABYTE, "MB of the journal") as shown:
        done = 0
        for line in file:
            yield line
            done += len(line)
            if done % MEGABYTE < len(line):
                shown.update(done // MEGABYTE)


@contextlib.contextmanager
def reading(path: Path, say: Say = warn, curves: bool = True) -> Iterator[Scan]:
    """The records of a journal that may be in use; damaged lines are said in the end, and left where they are."""
    with path.open("rb") as file:
        scan = Scan(_lines(file), str(path), curves)
        yield scan
    for bad in scan.damage:
        say(f"{path}: line {bad.line} is damaged and left out ({bad.end - bad.start} bytes)")


def read(path: Path, say: Say = warn) -> Contents:
    """All of `reading`."""
    with reading(path, say) as scan:
        records = tuple(scan)
    return Contents(records, tuple(scan.damage), scan.end)


class Journal:
    """The journal of `workdir`, held by one process at a time; use it as a context manager.

    Opening it repairs a damaged tail: its bytes go to a file beside the journal, and `say` names that file.
    Raises TableError when another process holds the workdir.
    """

    def __init__(self, workdir: str | os.PathLike, say: Say = warn):
        self.workdir, self._say = Path(workdir), say
        self.path = self.workdir / JOURNAL
        _make_folder(self.workdir)
        self._lock = _take_lock(self.workdir)
        try:
            self._file = self._open()
        except BaseException:
            os.close(self._lock)
            raise

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the workdir back."""
        if self._lock >= 0:
            os.close(self._file)
            os.close(self._lock)
            self._lock = -1

    def append(self, row: Mapping[str, Any], curve: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
        """Add one run and its curve; on return it is on the disk. Returns the row as it was written.

        Raises TableError when the row or a point does not fit the schema, when steps do not increase along the
        curve, or when the run has finished before.
        """
        run = checked(row, RUN_COLUMNS, f"run {row.get('run_id', '?')}")
        where = f"curve of run {run['run_id']}"
        points = [checked({"run_id": run["run_id"], **point}, CURVE_COLUMNS, where) for point in curve]
        if any(point["run_id"] != run["run_id"] for point in points):
            raise TableError(f"{where}: a point of another run; allowed: run_id {run['run_id']!r}")
        if any(late["step"] <= early["step"] for early, late in itertools.pairwise(points)):
            raise TableError(f"{where}: its steps do not increase; allowed: each step once, in order")
        if self._latest.get(run["run_id"], {}).get("status") == "finished":
            raise TableError(f"run {run['run_id']}: finished in {self.path} already; a run is written once")
        record = {"run": run, "curve": [{k: v for k, v in point.items() if k != "run_id"} for point in points]}
        self._write(seal(record))
        self._latest[run["run_id"]] = run
        return run

    def finished_ids(self) -> set[str]:
        """run_id of every finished run."""
        return {run_id for run_id, run in self._latest.items() if run["status"] == "finished"}

    def rows(self) -> list[dict[str, Any]]:
        """The last row of every run, in the order in which the runs first appeared; columns that the program of its
        time did not have are absent, or at their defaults."""
        return [ABSENT | run for run in self._latest.values()]

    def _open(self) -> int:
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            with self.path.open("rb") as lines:
                scan = Scan(_lines(lines), str(self.path), curves=False)  # a later row supersedes an earlier one
                self._latest = {record["run"]["run_id"]: record["run"] for record in scan}
            self._repair(file, scan)
        except BaseException:
            os.close(file)
            raise
        return file

    def _repair(self, file: int, scan: Scan) -> None:
        for bad in scan.damage:
            if bad.end <= scan.end:
                self._say(f"{self.path}: line {bad.line} is damaged; a run that it held counts as not done")
        tail = os.pread(file, os.fstat(file).st_size - scan.end, scan.end)
        if tail.strip(b"\n"):
            aside = _set_aside(self.workdir, tail)
            self._say(
                f"{self.path}: its last {len(tail)} bytes are damaged; set aside in {aside.name}, all before kept"
            )
        if tail:
            os.ftruncate(file, scan.end)
        if not scan.end:
            _write_all(file, seal({"journal": "runs and their curves", "version": VERSION}))
        elif os.pread(file, 1, scan.end - 1) != b"\n":  # torn between the line and its newline
            _write_all(file, b"\n")
        os.fsync(file)
        sync_folder(self.workdir)

    def _write(self, line: bytes) -> None:
        size = os.fstat(self._file).st_size
        try:
            _write_all(self._file, line)
            os.fsync(self._file)
        except OSError as error:
            os.ftruncate(self._file, size)
            raise TableError(f"{self.path}: the row could not be written: {error.strerror}") from error


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise TableError(f"{folder}: not a folder; a workdir is one") from error


def _take_lock(workdir: Path) -> int:
    """The descriptor of the locked lock file, which says whose it is. The lock ends with the process."""
    lock = os.open(workdir / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(lock, 500).decode(errors="replace").strip() or "unknown"
        os.close(lock)
        raise TableError(f"{workdir}: in use by process {holder}; one process at a time may add runs to it") from error
    os.ftruncate(lock, 0)
    os.write(lock, f"{os.getpid()} on {platform.node()} since {provenance.now()}\n".encode())
    return lock


def _set_aside(workdir: Path, tail: bytes) -> Path:
    """Keep `tail` in a new file, named by its content so that nothing is ever overwritten."""
    path = workdir / f"journal.damaged-{hashlib.sha256(tail).hexdigest()[:8]}"
    path.write_bytes(tail)
    return path


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]
