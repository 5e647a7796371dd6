"""Runs random command lines and spoilt data files through the programs: each must work, or refuse in one clear line.

A case misbehaves when it ends with a traceback, by a signal or with another exit code than 0 or 2, says more or less
than one line when it refuses, is still running after forty seconds of the processor (or waiting after 160), changes
what it was given, or leaves something half-written. Its number and the seed make a case again:

    scripts/chaos --configs=1 --seed=0 --first=1234 --show
"""

import dataclasses
import random
import shutil
from collections.abc import Callable
from pathlib import Path

from scaling_laws.progress import Progress
from scripts.faults import forked, fuzz_configs, fuzz_files, originals, programs
from scripts.faults.cases import Case

Make = Callable[[int, random.Random, Path, Path], Case]
SHOWN = 300  # characters of a word, and of what a bad case said


@dataclasses.dataclass
class Tally:
    """How many cases worked, how many were refused in one line, and what was wrong with the others."""

    what: str
    worked: int = 0
    refused: int = 0
    bad: list[str] = dataclasses.field(default_factory=list)

    def lines(self) -> list[str]:
        """The summary, the bad ones last."""
        total = self.worked + self.refused + len(self.bad)
        head = (
            f"{total} {self.what}: {self.worked} worked, {self.refused} refused in one line, {len(self.bad)} misbehaved"
        )
        return [head, *self.bad]


def configs(count: int, seed: int, place: Path, first: int = 0, tell: Callable[[str], None] | None = None) -> Tally:
    """`count` random configurations, from the case number `first` on; `tell` gets what each case said."""
    return _run("configurations", fuzz_configs.case, count, seed, place, first, tell)


def files(count: int, seed: int, place: Path, first: int = 0, tell: Callable[[str], None] | None = None) -> Tally:
    """The same for spoilt data files."""
    return _run("data files", fuzz_files.case, count, seed, place, first, tell)


def _run(
    what: str, make: Make, count: int, seed: int, place: Path, first: int, tell: Callable[[str], None] | None
) -> Tally:
    inputs, case_folder = place / "inputs", place / "case"
    if not inputs.exists():
        _prepare(inputs)
    programs.warm()
    tally = Tally(what)
    with Progress(count, what) as progress:
        for number in range(first, first + count):
            case_folder.mkdir()
            case = make(number, random.Random(f"{seed} {what} {number}"), inputs, case_folder)
            ended, fault = trial(case, inputs, case_folder)
            shutil.rmtree(case_folder)
            if fault:
                tally.bad.append(_told(number, case, ended, fault))
                progress.say(tally.bad[-1])
            elif ended.code == 0:
                tally.worked += 1
            else:
                tally.refused += 1
            if tell:
                tell(_told(number, case, ended, fault or f"exit code {ended.code}"))
            progress.update(number - first + 1, f"{len(tally.bad)} misbehaved")
    return tally


def trial(case: Case, inputs: Path, folder: Path) -> tuple[forked.Outcome, str]:
    """How a case ended in `folder`, and what was wrong with that."""
    for name, data in case.files.items():
        (folder / name).write_bytes(data)
    before = programs.seen(inputs) | programs.seen(folder)
    ended = forked.outcome(lambda: programs.call(case, folder), folder.parent)
    after = programs.seen(inputs) | programs.seen(folder)
    return ended, ended.fault() or programs.left_behind(case, ended.code, folder, before, after)


def _prepare(inputs: Path) -> None:
    """The originals, made in a child: threads of the writers must not be forked with the programs."""

    def make() -> int:
        originals.write(inputs)
        originals.strange(inputs / "strange")
        (inputs / "corpus").symlink_to(inputs / "texts")
        return 0

    made = forked.outcome(make, inputs.parent)
    if made.code:
        raise RuntimeError(f"the originals could not be made: {made.err}")


def _told(number: int, case: Case, ended: forked.Outcome, fault: str) -> str:
    """A case as its command, what was wrong, and what it said."""
    words = " ".join(map(_short, case.words))
    return f"case {number}: {fault}: {case.program} {words}\n    {_short(ended.err[-SHOWN:])}"


def _short(text: str) -> str:
    return repr(text) if len(text) <= SHOWN else f"{text[:SHOWN]!r}... ({len(text)} characters)"
