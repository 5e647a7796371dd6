"""Flips single bits and cuts files short in tables and checkpoints, and looks at what comes of it.

A harm must be named, by the file that was harmed or the folder it is in; nothing that is read may differ from what was
written; and the last good state must come back: of a table the same rows once the runs that it lost are done again, of
a checkpoint the one before it, bit for bit.
"""

import collections
import dataclasses
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from scaling_laws import config, spec, table
from scaling_laws.config import RunConfig
from scaling_laws.table import TableError
from scaling_laws.table.journal import JOURNAL
from scaling_laws.train import arrays, state
from scaling_laws.train.checkpoint import Checkpoints
from scaling_laws.train.shape import Shape
from scaling_laws.train.step import Step
from scripts.faults.victim import finished_sweep, hashes

TABLES = (JOURNAL, "runs.parquet", "curves.parquet")
STEPS = (10, 20)


@dataclasses.dataclass
class Tally:
    """What was harmed and what was found."""

    harms: collections.Counter[tuple[str, str]] = dataclasses.field(default_factory=collections.Counter)
    silent: list[str] = dataclasses.field(default_factory=list)
    wrong: list[str] = dataclasses.field(default_factory=list)
    unrecovered: list[str] = dataclasses.field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether every harm was named, nothing wrong was read and all came back."""
        return not (self.silent or self.wrong or self.unrecovered)

    def lines(self) -> list[str]:
        """The summary, and the first few of what went wrong."""
        kinds = collections.Counter(kind for kind, _ in self.harms.elements())
        subjects = collections.Counter(subject for _, subject in self.harms.elements())
        counted = [", ".join(f"{name} {count}" for name, count in sorted(each.items())) for each in (kinds, subjects)]
        found = {"silent": self.silent, "wrong": self.wrong, "not recovered": self.unrecovered}
        told = [f"{what}: {case}" for what, cases in found.items() for case in cases[:3]]
        return [
            f"{self.harms.total()} harms ({counted[0]}; {counted[1]})",
            ", ".join(f"{what} {len(cases)}" for what, cases in found.items()),
            *told,
        ]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a reader made of a harmed file."""

    named: bool
    right: bool
    recovered: bool


def flip(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    """One bit turned over."""
    bit = rng.randrange(8 * len(data))
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed), f"bit {bit}"


def truncate(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Cut anywhere."""
    length = rng.randrange(len(data))
    return data[:length], f"cut to {length} of {len(data)} bytes"


HARMS: dict[str, Callable[[bytes, random.Random], tuple[bytes, str]]] = {"flips": flip, "truncations": truncate}


class Tables:
    """A finished sweep's work directory, of which one file is harmed at a time."""

    def __init__(self, workdir: Path, name: str):
        self.sound, self.name = workdir, name
        self.runs, self.curves = _rows(table.read_runs(workdir)), _points(table.read_curves(workdir))
        self.expected = hashes(workdir)

    def files(self, folder: Path) -> list[Path]:
        """What may be harmed."""
        return [folder / self.name]

    def copy(self, folder: Path) -> None:
        """A work directory to harm, older than the harm."""
        shutil.copytree(self.sound, folder)

    def outcome(self, folder: Path, harmed: Path) -> Outcome:
        """Read as an analysis does, then go on as the same command does, with the rows that are missing done again."""
        said: list[str] = []
        right = True
        try:
            found, points = _rows(table.read_runs(folder, said.append)), _points(table.read_curves(folder, said.append))
            right = all(self.runs.get(run_id) == row for run_id, row in found.items())
            right = right and all(self.curves.get(key) == point for key, point in points.items())
        except TableError as error:
            said.append(str(error))
        with table.Journal(folder, said.append) as journal:
            kept = {row["run_id"]: row for row in journal.rows()}
            right = right and all(self.runs.get(run_id) == row for run_id, row in kept.items())
            for run_id in self.runs.keys() - kept.keys():
                journal.append(self.runs[run_id], self.curve(run_id))
        table.compact(folder, said.append)
        named = any(harmed.name in line for line in said)
        return Outcome(named, right, hashes(folder) == self.expected)

    def curve(self, run_id: str) -> list[dict[str, Any]]:
        """The points of a run."""
        return [point for (owner, _), point in sorted(self.curves.items()) if owner == run_id]


class States:
    """Two checkpoints of a run, of which the later one is harmed."""

    def __init__(self, folder: Path, small: bool):
        self.sound = folder
        step = Step(Shape.of(config.replace(RunConfig(), {"model.width": 16, "model.depth": 1}), spec.text(256, 128)))
        self.template = state.named(step.abstract_state())
        self.states = {at: state.initial(self.template, step.rules, seed=at) for at in STEPS}
        before, arrays.SMALL = arrays.SMALL, arrays.SMALL if small else 0
        try:
            for at, kept in self.states.items():
                Checkpoints(folder).save(at, kept, {"at": at})
        finally:
            arrays.SMALL = before

    def files(self, folder: Path) -> list[Path]:
        """What may be harmed: every file of the later checkpoint that is not empty."""
        later = folder / f"step_{STEPS[-1]:012d}"
        return sorted(path for path in later.rglob("*") if path.is_file() and path.stat().st_size)

    def copy(self, folder: Path) -> None:
        """Checkpoints to harm."""
        shutil.copytree(self.sound, folder)

    def outcome(self, folder: Path, harmed: Path) -> Outcome:
        """Restore as a run does that goes on."""
        said: list[str] = []
        blank = {name: np.zeros(leaf.shape, leaf.dtype) for name, leaf in self.template.items()}
        found = Checkpoints(folder, said.append).restore(blank)
        named = any(f"step_{STEPS[-1]:012d}" in line for line in said)
        if found is None:
            return Outcome(named, True, False)
        at, kept, extra = found
        right = extra == {"at": at} and all(self.states[at][name].tobytes() == kept[name].tobytes() for name in blank)
        return Outcome(named, right, at == STEPS[0])


def damage(counts: dict[str, int], seed: int, place: Path, tell: Callable[[int], None]) -> Tally:
    """So many harms of each kind (`flips`, `truncations`), spread over tables and checkpoints; `tell` counts them."""
    workdir = finished_sweep(place)
    subjects: dict[str, Tables | States] = {name: Tables(workdir, name) for name in TABLES}
    subjects |= {"checkpoint": States(place / "small", True), "Orbax checkpoint": States(place / "large", False)}
    tally, rng, names = Tally(), random.Random(seed), sorted(subjects)
    for kind, count in counts.items():
        for _ in range(count):
            name = rng.choice(names)
            _harm(subjects[name], name, kind, rng, place / "harmed", tally)
            tell(tally.harms.total())
    return tally


def _harm(subject: Tables | States, name: str, kind: str, rng: random.Random, folder: Path, tally: Tally) -> None:
    subject.copy(folder)
    harmed = rng.choice(subject.files(folder))
    changed, how = HARMS[kind](harmed.read_bytes(), rng)
    harmed.write_bytes(changed)
    case = f"{name}: {harmed.relative_to(folder)}, {how}"
    found = subject.outcome(folder, harmed)
    shutil.rmtree(folder)
    tally.harms[kind, name] += 1
    tally.silent += [] if found.named else [case]
    tally.wrong += [] if found.right else [case]
    tally.unrecovered += [] if found.recovered else [case]


def _rows(runs: Any) -> dict[str, dict[str, Any]]:
    return {row["run_id"]: row for row in runs.to_pylist()}


def _points(curves: Any) -> dict[tuple[str, int], dict[str, Any]]:
    return {(point["run_id"], point["step"]): point for point in curves.to_pylist()}
