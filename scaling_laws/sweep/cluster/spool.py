"""The files between the driver and the jobs of one array: what each job is to do, and what became of it.

    INDEX.json            the packs of a job, written whole by the driver before the array is submitted
    INDEX.RESTART.jsonl   what the job says, by each of its starts in a file of its own: sealed lines, only added

All plain JSON: a job has one writer, the driver reads and merges. A line that is torn or damaged counts as not there.
"""

import dataclasses
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from scaling_laws.config import RunConfig, leaves, replace
from scaling_laws.disk import replace_file, sync_folder
from scaling_laws.sealed import seal, unseal
from scaling_laws.sweep.messages import At, Done, Failed, Job, PackMember, Ready, Said, Stopped, Unable


@dataclasses.dataclass(frozen=True)
class Begun:
    """From a job: it begins, or goes on with, a pack."""


KINDS = {kind.__name__: kind for kind in (Begun, At, Done, Failed, Ready, Said, Stopped, Unable)}
CLOSING = (Failed, Stopped, Unable)  # what is said last of a pack, beside the rows of all its members


@dataclasses.dataclass(frozen=True)
class Spec:
    """What a job does: `packs` of one text, one after the other; `limits` are how often a pack is begun that dies, and
    the time limit in minutes."""

    name: str
    workdir: str
    corpus_hash: str
    attempts: int
    minutes: int
    packs: tuple[Job, ...]


@dataclasses.dataclass(frozen=True)
class Line:
    """Something that a job said, of which of its packs."""

    pack: int
    message: Any


def write_spec(folder: Path, index: int, spec: Spec) -> None:
    """Write what the job `index` is to do."""
    packs = [
        {"strategy": job.strategy, "pack_devices": job.pack_devices, "members": [_member(one) for one in job.members]}
        for job in spec.packs
    ]
    facts = {field.name: getattr(spec, field.name) for field in dataclasses.fields(spec)} | {"packs": packs}
    replace_file(folder / f"{index}.json", json.dumps(facts, indent=1).encode())


def read_spec(folder: Path, index: int) -> Spec:
    """What the job `index` is to do. Raises OSError where that is not written."""
    facts = json.loads((folder / f"{index}.json").read_bytes())
    packs = tuple(
        Job(tuple(map(_member_of, pack["members"])), pack["strategy"], pack["pack_devices"]) for pack in facts["packs"]
    )
    return Spec(**facts | {"packs": packs})


def _member(one: PackMember) -> dict[str, Any]:
    fields = {field.name: getattr(one, field.name) for field in dataclasses.fields(one)}
    return fields | {"run": {path: value for path, _, value in leaves(one.run)}}


def _member_of(facts: Mapping[str, Any]) -> PackMember:
    settings = {path: tuple(value) if isinstance(value, list) else value for path, value in facts["run"].items()}
    arm = (str(facts["arm"][0]), float(facts["arm"][1])) if facts["arm"] else None
    return PackMember(**dict(facts) | {"run": replace(RunConfig(), settings), "arm": arm})


class Log:
    """The file that one start of a job writes."""

    def __init__(self, folder: Path, index: int, restart: int):
        self._path = folder / f"{index}.{restart}.jsonl"
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.write(self._file, b"\n")  # ends a torn line of a start with the same number
        sync_folder(folder)

    def add(self, pack: int, message: Any) -> None:
        """Add what is said of a pack; all but how far a run is stands on the disk on return."""
        fields = {field.name: getattr(message, field.name) for field in dataclasses.fields(message)}
        line = seal({"pack": pack, "kind": type(message).__name__, "fields": fields})
        while line:
            line = line[os.write(self._file, line) :]
        if not isinstance(message, At):
            os.fsync(self._file)


class Tail:
    """Reads what is added to the files of a job."""

    def __init__(self):
        self._read: dict[Path, int] = {}

    def new(self, paths: Iterable[Path]) -> list[Line]:
        """The whole lines that were added to its files since the last call."""
        found: list[Line] = []
        for path in paths:
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._read[path] = self._read.get(path, 0) + len(whole)
            found += _lines(whole)
        return found


def logs(folder: Path, index: int | str = "*") -> list[Path]:
    """The files of what a job said, in the order of its starts; of all jobs by default."""
    return sorted(folder.glob(f"{index}.*.jsonl"), key=_numbers)


def by_job(folder: Path) -> dict[int, list[Path]]:
    """Index -> `logs` of each job that has said something: the folder is read once for all."""
    return {index: list(paths) for index, paths in itertools.groupby(logs(folder), key=lambda path: _numbers(path)[0])}


def _numbers(path: Path) -> list[int]:
    """Index and start of a file."""
    return [int(word) for word in path.name.split(".")[:2]]


def _lines(data: bytes) -> Iterator[Line]:
    for line in data.split(b"\n"):
        record = unseal(line)
        if record is not None and record.get("kind") in KINDS:
            yield Line(record["pack"], KINDS[record["kind"]](**record["fields"]))


def said(folder: Path, index: int | str = "*") -> list[Line]:
    """All that a job has said so far; that of all jobs of the array by default."""
    return [line for path in logs(folder, index) for line in _lines(path.read_bytes())]


def rows(folders: Iterable[Path]) -> dict[str, Done]:
    """run_id -> what was said of a run that ended, in any of these folders."""
    ended: dict[str, Done] = {}
    for folder in folders:
        ended |= {line.message.run_id: line.message for line in said(folder) if isinstance(line.message, Done)}
    return ended


def clear(folder: Path) -> None:
    """Remove what the driver has taken over; what SLURM wrote of the jobs stays."""
    for path in (*folder.glob("*.json"), *logs(folder)):
        path.unlink(missing_ok=True)
