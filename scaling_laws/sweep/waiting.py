"""The runs that wait and which of them an idle worker does next, found in a time that hardly grows with their number.

A run so long that it alone would take a fair share of the rest goes first, else it would end last with the other
workers idle. Then a program that the worker has compiled, then one that nobody has, then any; the longest within each.
A branch of a trunk is as long as all that wait on the trunk, and not ready before the shorter ones are done.
"""

import bisect
import heapq
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable

from scaling_laws.sweep.planned import PlannedRun

Program = tuple[int, int, int]
_Entry = tuple[float, str, int]  # minus the seconds, run_id, and which entry of that run it is
ROUNDING = 1e-9  # of a sum of seconds that is kept by adding and taking away


class Waiting:
    """Runs that wait, and the branches of trunks that run: these must be told of with `take` and `release`."""

    def __init__(self, runs: Iterable[PlannedRun] = ()):
        self._runs: dict[str, PlannedRun] = {}
        self._branches: dict[str, list[tuple[int, str]]] = defaultdict(list)  # trunk -> (steps, run_id), ascending
        self._running: dict[str, set[tuple[int, str]]] = defaultdict(set)  # the same of those that run
        self._ahead: dict[str, float] = defaultdict(float)  # trunk -> seconds of all that wait on it
        self._ready: dict[str, tuple[int, float]] = {}  # run_id -> its entry that holds, its seconds
        self._entries = 0
        self._seconds = 0.0
        self._longest: list[_Entry] = []
        self._by_program: dict[Program, list[_Entry]] = defaultdict(list)
        self._of_program: dict[Program, dict[str, PlannedRun]] = defaultdict(dict)
        for planned in runs:
            self.add(planned)

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, planned: PlannedRun) -> None:
        """A run waits, which did not."""
        self._runs[planned.run_id] = planned
        if planned.trunk:
            bisect.insort(self._branches[planned.trunk], _branch(planned))
            self._ahead[planned.trunk] += planned.expected_seconds
            self._look_at(planned.trunk)
        else:
            self._enter(planned, planned.expected_seconds)

    def take(self, pack: Iterable[PlannedRun]) -> None:
        """These wait no more: they run."""
        for planned in pack:
            del self._runs[planned.run_id]
            self._leave(planned)
            if planned.trunk:
                self._branches[planned.trunk].remove(_branch(planned))
                self._running[planned.trunk].add(_branch(planned))
                self._ahead[planned.trunk] -= planned.expected_seconds
                self._look_at(planned.trunk)

    def release(self, planned: PlannedRun) -> None:
        """It runs no more."""
        if planned.trunk:
            self._running[planned.trunk].discard(_branch(planned))
            self._look_at(planned.trunk)

    def needs(self, trunk: str) -> bool:
        """Whether a branch of the trunk waits or runs."""
        return bool(self._branches.get(trunk) or self._running.get(trunk))

    def has_longer(self, planned: PlannedRun) -> bool:
        """Whether a longer branch of the run's trunk waits."""
        return bool(planned.trunk) and any(steps > _branch(planned)[0] for steps, _ in self._branches[planned.trunk])

    def alike(self, planned: PlannedRun) -> Collection[PlannedRun]:
        """The ready runs of its program, itself among them while it waits."""
        return self._of_program[planned.program].values()

    def choose(
        self, compiled: Collection[Program], elsewhere: Callable[[], Collection[Program]], n_workers: int
    ) -> PlannedRun | None:
        """The next run for a worker that has `compiled` these programs while others have compiled those `elsewhere`;
        None when none is ready."""
        longest = self._first(self._longest)
        if longest is None:
            return None
        if self._ready[longest][1] >= self._seconds / n_workers * (1 - ROUNDING):
            return self._runs[longest]
        own = [program for program in compiled if self._of_program.get(program)]
        if not own:
            others = elsewhere()
            own = [program for program, runs in self._of_program.items() if runs and program not in others]
        best = [first for program in own if (first := self._first(self._by_program[program]))]
        return self._runs[min(best, key=lambda run_id: (-self._ready[run_id][1], run_id), default=longest)]

    def _look_at(self, trunk: str) -> None:
        """Enter the shortest branch of a trunk where it is ready, as long as all that wait; no other is."""
        branches, running = self._branches[trunk], self._running[trunk]
        for _, run_id in branches[:2]:  # the second was the first, where a shorter one has come
            self._leave(self._runs[run_id])
        if branches and not (running and min(running) < branches[0]):
            self._enter(self._runs[branches[0][1]], self._ahead[trunk])

    def _enter(self, planned: PlannedRun, seconds: float) -> None:
        self._entries += 1
        self._ready[planned.run_id] = (self._entries, seconds)
        self._seconds += seconds
        entry = (-seconds, planned.run_id, self._entries)
        heapq.heappush(self._longest, entry)
        heapq.heappush(self._by_program[planned.program], entry)
        self._of_program[planned.program][planned.run_id] = planned

    def _leave(self, planned: PlannedRun) -> None:
        entered = self._ready.pop(planned.run_id, None)
        if entered:
            self._seconds = self._seconds - entered[1] if self._ready else 0.0
            del self._of_program[planned.program][planned.run_id]

    def _first(self, heap: list[_Entry]) -> str | None:
        """The run of the first entry that still holds."""
        while heap:
            _, run_id, entry = heap[0]
            if self._ready.get(run_id, (0,))[0] == entry:
                return run_id
            heapq.heappop(heap)
        return None


def _branch(planned: PlannedRun) -> tuple[int, str]:
    return planned.run.train.steps, planned.run_id
