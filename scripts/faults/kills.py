"""Kills a sweep of 24 runs at random moments and compares its tables with those of an undisturbed one.

A kill is signal 9 to a worker, to the parent, or to the whole group: at any moment, inside a checkpoint, beside a write
of the journal, or while programs are compiled (the cache is emptied first). After every start the settled rows must
still hold all that were there before, each once. A round ends with a start that is left alone; its runs and curves must
be those of the undisturbed sweep, bit for bit. Linux alone: the workers are looked up in /proc.
"""

import collections
import dataclasses
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from scaling_laws import table
from scaling_laws.table import journal
from scripts.faults.victim import RUNS, Victim, hashes

TARGETS = ("worker", "parent", "group")
MOMENTS = ("any", "checkpoint", "table", "compile")
A_ROUND = 25  # kills
PATIENCE = 3.0  # seconds that a moment is waited for before it is any moment


@dataclasses.dataclass
class Tally:
    """What was done and what was found."""

    kills: collections.Counter[tuple[str, str]] = dataclasses.field(default_factory=collections.Counter)
    starts: int = 0
    rounds: int = 0
    lost: int = 0
    duplicated: int = 0
    different: int = 0

    @property
    def sound(self) -> bool:
        """Whether nothing was lost, doubled or changed."""
        return self.lost == self.duplicated == self.different == 0

    def lines(self) -> list[str]:
        """The summary."""
        targets, moments = (collections.Counter[str]() for _ in range(2))
        for (target, moment), count in self.kills.items():
            targets[target] += count
            moments[moment] += count
        each = [", ".join(f"{name} {count}" for name, count in sorted(counts.items())) for counts in (targets, moments)]
        done = f"{self.starts} starts, {self.rounds} sweeps of {RUNS} runs"
        return [
            f"{self.kills.total()} kills ({each[0]}; {each[1]}), {done}",
            f"rows lost {self.lost}, rows duplicated {self.duplicated}, tables that differ {self.different}",
        ]


class Round:
    """One work directory, killed until enough, then left to finish."""

    def __init__(self, place: Path, tally: Tally, rng: random.Random, workers: int):
        self.workdir, self.cache, self.tally, self.rng, self.workers = place / "sweep", place, tally, rng, workers
        self.settled: set[str] = set()

    def start(self) -> Victim:
        """Start the sweep, as its user would: the same command again."""
        self.tally.starts += 1
        return Victim(self.workdir, self.cache, self.workers)

    def attack(self, kills: int, tell: Callable[[], None]) -> None:
        """Kill `kills` times, or until the sweep has finished in between."""
        victim = self.start()
        try:
            while kills and not (victim.ended and victim.process.returncode == 0):
                moment = self.rng.choice(MOMENTS)
                if victim.ended:
                    if moment == "compile":
                        shutil.rmtree(self.cache / "scaling_laws" / "programs", ignore_errors=True)
                    victim = self.start()
                self.wait(victim, moment)
                target = self.rng.choice(TARGETS)
                if not victim.ended and victim.kill(target, self.rng.randrange(8)):
                    kills -= 1
                    self.tally.kills[target, moment] += 1
                    tell()
                if victim.ended:
                    self.check()
        finally:
            victim.end()

    def wait(self, victim: Victim, moment: str) -> None:
        """Wait for the moment, or for as long as patience lasts."""
        until = time.monotonic() + PATIENCE
        if moment == "any":
            time.sleep(self.rng.uniform(0, PATIENCE))
            return
        if moment == "compile":  # or whatever else follows the start of the workers
            while not victim.workers() and not victim.ended and time.monotonic() < until:
                time.sleep(0.01)
            time.sleep(self.rng.uniform(0, PATIENCE / 2))
            return
        log = self.workdir / journal.JOURNAL
        before = log.stat().st_size if log.exists() else 0
        while not victim.ended and time.monotonic() < until:
            if moment == "checkpoint" and any(self.workdir.glob("checkpoints/*/partial_*")):
                return
            if moment == "table" and log.exists() and log.stat().st_size > before:
                return
            time.sleep(0.0005)

    def check(self) -> None:
        """No settled row lost, none there twice."""
        path = self.workdir / journal.JOURNAL
        if not path.exists():
            return
        records = [record["run"] for record in journal.read(path, lambda line: None).records]
        found = collections.Counter(run["run_id"] for run in records if run["status"] in table.SETTLED)
        self.tally.lost += len(self.settled - set(found))
        self.tally.duplicated += sum(count - 1 for count in found.values())
        self.settled |= set(found)

    def finish(self) -> dict[str, str]:
        """Let it end; its tables' hashes. Raises RuntimeError where it does not."""
        for _ in range(3):  # a run whose worker was killed twice is a failed row, which the next start tries again
            victim = self.start()
            try:
                code = victim.process.wait(timeout=600)
            finally:
                victim.end()
            self.check()
            if code == 0:
                return hashes(self.workdir)
        raise RuntimeError(f"the sweep ended with {code}: {victim.log.read_text()[-2000:]}")


def undisturbed(place: Path) -> dict[str, str]:
    """The hashes of the sweep that nobody disturbs, on one worker."""
    alone = Round(place, Tally(), random.Random(0), workers=1)
    alone.workdir = place / "undisturbed"
    found = alone.finish()
    if len(alone.settled) != RUNS:
        raise RuntimeError(f"{len(alone.settled)} runs instead of {RUNS}")
    return found


def chaos(kills: int, seed: int, workers: int, place: Path, tell: Callable[[int], None] = lambda done: None) -> Tally:
    """Rounds until so many kills have been dealt; `tell` counts them."""
    expected, tally, rng = undisturbed(place), Tally(), random.Random(seed)
    while tally.kills.total() < kills:
        one = Round(place, tally, rng, workers)
        one.attack(min(A_ROUND, kills - tally.kills.total()), lambda: tell(tally.kills.total()))
        tally.different += one.finish() != expected
        tally.rounds += 1
        shutil.rmtree(one.workdir)
    return tally
