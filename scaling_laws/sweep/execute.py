"""Do the planned runs, here or on a cluster (`crew.Launcher`), and add each row to the journal the moment it arrives.

The parent is the only writer. A run that raises, or whose worker dies again and again, becomes a row with status
`failed`, which the next start tries again; finished and diverged runs are never done again.
"""

import dataclasses
import functools
import math
import signal
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from scaling_laws.config import TaskConfig, trunk_steps
from scaling_laws.interrupts import interruptible
from scaling_laws.sweep.choice import Choices
from scaling_laws.sweep.crew import Launcher
from scaling_laws.sweep.messages import At, Died, Done, Failed, Ready, Returned, Said, Stopped, Tried, Unable
from scaling_laws.sweep.meter import Display, Meter
from scaling_laws.sweep.packing import ALONE
from scaling_laws.sweep.planned import PlannedRun, TaskFacts
from scaling_laws.sweep.show import plural
from scaling_laws.sweep.slot import Slot
from scaling_laws.sweep.summary import Row, Summary, describe_row
from scaling_laws.sweep.waiting import Program, Waiting
from scaling_laws.table import SETTLED, Journal
from scaling_laws.train import saved

Say = Callable[[str], None]
More = Callable[[list[Row]], Iterable[PlannedRun]]
LOOK_EVERY = 1.0  # seconds between two looks at workers that say nothing
ASKING, SLOW = 0.05, 2e-3  # most of the parent's time that `more` may take, where a call takes more than SLOW seconds


class SweepError(ValueError):
    """The sweep cannot go on, in one line."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """Seconds that workers have to stop in, those of silence after which one is taken to hang (0: never), and how often
    a run is begun whose worker dies under it."""

    stop: float = 25.0
    hang: float = 1800.0
    attempts: int = 2


def nothing_more(rows: list[Row]) -> Iterable[PlannedRun]:
    """No further runs, whatever came out."""
    return ()


def execute(
    runs: Iterable[PlannedRun],
    facts: TaskFacts,
    pool: Launcher,
    journal: Journal,
    *,
    say: Say,
    more: More = nothing_more,
    choices: Choices | None = None,
    limits: Limits = Limits(),
    others: Mapping[TaskConfig, TaskFacts] = MappingProxyType({}),
) -> Summary:
    """Do every run that the journal does not hold as finished or diverged, packed by `choices` (default: alone).

    `more` gets all settled rows, and those that failed now, after each row and names further runs; one named before is
    not repeated. Where it takes long it is asked after several rows at once, and before the end. On the first Ctrl-C
    (or SIGTERM) workers write checkpoints, within `limits.stop` or not at all, and the summary says `interrupted`; the
    second raises KeyboardInterrupt. A worker that hangs (`limits.hang`) is ended as if it had died. `facts` are those
    of every run's task but for `others`. Raises SweepError when no worker can be kept alive, the disk takes no more or
    the text has changed.
    """
    sweep = _Execution(facts, pool, journal, say, limits)
    sweep.more, sweep.choices, sweep.others = more, choices or sweep.choices, others
    with interruptible() as asked_to_stop:
        sweep.add(runs)
        sweep.ask_for_more()
        while sweep.active:
            if asked_to_stop() and not sweep.stopping:
                sweep.stop()
            sweep.advance()
        sweep.display.clear()
        sweep.drop_trunks(list(sweep.trunks))
        return dataclasses.replace(sweep.summary(), terminated=sweep.stopping and asked_to_stop.terminated)


class _Execution:
    def __init__(self, facts: TaskFacts, pool: Launcher, journal: Journal, say: Say, limits: Limits):
        self.facts, self.pool, self.journal, self.limits = facts, pool, journal, limits
        self._say, self.stop_by = say, math.inf
        self.more: More = nothing_more
        self.choices = Choices(ALONE)
        self.others: Mapping[TaskConfig, TaskFacts] = {}
        self.rows = {row["run_id"]: row for row in journal.rows() if row["status"] in SETTLED}
        self.known: set[str] = set()
        self.trunks: set[str] = set()
        self.waiting = Waiting()
        self.n_running = 0
        self.lost: dict[str, int] = {}
        self.alone: set[str] = set()  # runs that are not to be packed again
        self.done: list[Row] = []
        self.skipped = 0
        self.stopping, self.unasked, self.news = False, False, True
        self.ask_at = self.look_at = -math.inf
        self.began = time.monotonic()
        self.start_seconds = self.write_seconds = 0.0
        self.meter = Meter()
        self.display = Display(self.meter)

    def say(self, line: str) -> None:
        self.display.clear()
        self._say(line)

    def add(self, runs: Iterable[PlannedRun]) -> None:
        for planned in runs:
            if planned.run_id in self.known:
                continue
            self.known.add(planned.run_id)
            self.trunks |= {planned.trunk} - {""}
            if planned.run_id in self.rows:
                self.skipped += 1
            else:
                self.waiting.add(planned)
                self.meter.add(planned)

    def ask_for_more(self) -> None:
        """Ask; later where that is slow, was done just now, and idle workers find something to do meanwhile."""
        began = time.monotonic()
        self.unasked = not self.stopping
        if self.stopping or (began < self.ask_at and self.waiting):
            return
        self.unasked = False
        self.add(self.more(list(self.rows.values())))
        took = time.monotonic() - began
        self.ask_at = began + took / ASKING if took > SLOW else -math.inf

    @property
    def active(self) -> bool:
        return bool(self.n_running) or (bool(self.waiting) and not self.stopping)

    def stop(self) -> None:
        self.stopping, self.stop_by = True, time.monotonic() + self.limits.stop
        self.say("stopping: workers write their checkpoints; once more ends them at once")
        self.pool.ask_to_stop()

    def advance(self) -> None:
        """Hand out runs, then hear what the workers have to say for at most half a second."""
        now = time.monotonic()
        if not self.stopping and (self.news or now >= self.look_at):
            self._hand_out()
        self.news = False
        for each, message in self.pool.events(timeout=0.5):
            self._take(each, message)
        if self.unasked:
            self.ask_for_more()
        if now >= self.look_at:
            self._end_the_stuck(time.monotonic())
            self.look_at = now + LOOK_EVERY
        self.display.tick(f"{self.n_running} running, {len(self.waiting)} waiting")

    def _end_the_stuck(self, now: float) -> None:
        """Workers that hang, or that have not stopped in time: their runs go on from the checkpoints they have."""
        for each in self.pool.workers:
            if each.jobs and now > self.stop_by and not each.ended:
                self.say(f"{each.name}: no checkpoint within {self.limits.stop:g} s; its run goes on from the last one")
                each.end("did not stop")
            elif each.hangs(now, self.limits.hang) and not each.ended:
                each.end(f"said nothing for {now - each.heard:.0f} s and was ended")

    def _hand_out(self) -> None:
        self.pool.start(len(self.waiting) + self.n_running)
        if self.pool.exhausted:
            raise SweepError("every worker ended before it was ready; its own message stands above")
        for each in self.pool.workers if self.waiting else ():
            if each.idle:
                first = self.waiting.choose(
                    each.compiled, functools.partial(self._compiled_by_others, each), len(self.pool.workers)
                )
                if first is None:
                    return
                self._hand_to(each, first)

    def _compiled_by_others(self, each: Slot) -> set[Program]:
        return set().union(*(other.compiled for other in self.pool.workers if other is not each))

    def _hand_to(self, each: Slot, first: PlannedRun) -> None:
        """`first` to an idle worker, with others that are ready where they are packed; or its form to be tried out."""
        pack, packing = [first], ALONE
        if first.run_id not in self.alone and not self.choices.alone(first):
            fit = [planned for planned in self.waiting.alike(first) if planned.run_id not in self.alone]
            if options := self.choices.to_try(first, fit):
                self.pool.try_out(each, first, options)
                return
            packing = self.choices.of(first)
            pack = packing.choose(first, fit, self._saved_step)
        self.waiting.take(pack)
        self.n_running += len(pack)
        self.pool.assign(each, pack, packing, {one.run_id for one in pack if self.waiting.has_longer(one)})

    def _end(self, each: Slot, ended: Collection[PlannedRun]) -> None:
        """These runs of a worker run no more."""
        gone = {planned.run_id for planned in ended}
        each.jobs = [planned for planned in each.jobs if planned.run_id not in gone]
        self.n_running -= len(ended)
        for planned in ended:
            self.waiting.release(planned)

    def _saved_step(self, planned: PlannedRun) -> int:
        """The step from which a run will go on."""
        own = saved.steps(saved.folder(self.journal.workdir, planned.run_id))
        if planned.trunk:
            shared = saved.steps(saved.folder(self.journal.workdir, planned.trunk))
            own += [step for step in shared if step <= trunk_steps(planned.run)]
        return max(own, default=0)

    def drop_trunks(self, trunks: Collection[str]) -> None:
        """Remove the checkpoints of those of these trunks from which no run is to begin any more."""
        for trunk in [] if self.stopping else trunks:
            if trunk in self.trunks and not self.waiting.needs(trunk):
                saved.drop(saved.folder(self.journal.workdir, trunk))
                self.trunks.discard(trunk)

    def _take(self, each: Slot, message: Any) -> None:
        self.news |= not isinstance(message, At | Said)
        match message:
            case Ready(seconds):
                self.start_seconds += seconds
            case At(run_id, step):
                self.meter.at(run_id, step)
            case Said(text):
                self.say(text)
            case Done(_, row, curve):
                self._finish(each, row, curve)
            case Tried(rates) if each.trial:
                self.say(self.choices.learn(*each.trial, rates))
                each.trial = None
            case Failed(reason):
                self._failed(each, reason)
            case Unable(reason):
                raise SweepError(reason)
            case Stopped():
                self._end(each, each.jobs)
            case Returned():
                pack = each.jobs
                self._end(each, pack)
                for planned in pack:
                    self.waiting.add(planned)
            case Died(exit_code, how):
                self._died(each, each.ended or how or _how(exit_code))

    def _failed(self, each: Slot, reason: str) -> None:
        """A run that raises is a failed row; of a pack nobody knows which one it was, so each is tried alone."""
        pack = each.jobs
        self._end(each, pack)
        if len(pack) == 1:
            self._record(self._failed_row(pack[0], reason, each.name), [])
        elif pack:
            self.say(f"{each.name}: {plural(len(pack), 'run')} together: {reason}; each is tried alone")
            self._try_alone(pack)

    def _try_alone(self, pack: list[PlannedRun]) -> None:
        for planned in pack:
            self.alone.add(planned.run_id)
            self.waiting.add(planned)

    def _died(self, each: Slot, how: str) -> None:
        pack, each.trial = each.jobs, None
        self._end(each, pack)
        if self.stopping or not pack:
            return
        if len(pack) > 1:
            self.say(f"{each.name} {how} with {plural(len(pack), 'run')}; each is tried alone")
            self._try_alone(pack)
            return
        (planned,) = pack
        self.lost[planned.run_id] = self.lost.get(planned.run_id, 0) + 1
        if self.lost[planned.run_id] >= self.limits.attempts:
            reason = f"worker {how}" + (f", {self.limits.attempts} times" if self.limits.attempts > 1 else "")
            self._record(self._failed_row(planned, reason, each.name), [])
        else:
            self.say(f"{planned.run_id}: {each.name} {how}; the run is tried once more")
            self.waiting.add(planned)

    def _finish(self, each: Slot, row: Row, curve: list[Row]) -> None:
        self._end(each, [planned for planned in each.jobs if planned.run_id == row["run_id"]])
        self._record(row, curve)

    def _record(self, row: Row, curve: list[Row]) -> None:
        began = time.monotonic()
        row = self.journal.append(row, curve)
        self.write_seconds += time.monotonic() - began
        self.rows[row["run_id"]] = row
        self.done.append(row)
        self.meter.finished(row)
        self.say(describe_row(row, len(self.known) - len(self.waiting) - self.n_running, len(self.known)))
        self.ask_for_more()
        self.drop_trunks([row["trunk"]])

    def _failed_row(self, planned: PlannedRun, reason: str, worker: str) -> Row:
        facts = self.others.get(planned.run.task, self.facts)
        row = facts.described(planned.run, planned.counts, planned.run_id)
        found = {"status": "failed", "reason": reason, "steps_done": 0, "worker": worker}
        if planned.arm:
            found |= {"technique": planned.arm[0], "strength": planned.arm[1]}
        return row | found | {"purpose": planned.purpose, "budget": planned.budget, "lr_source": planned.lr_source}

    def summary(self) -> Summary:
        remaining = len(self.known) - self.skipped - len(self.done)
        wall = time.monotonic() - self.began
        used = min(self.pool.at_once, max(1, len(self.known)))
        spent = (self.start_seconds, self.write_seconds)
        return Summary(tuple(self.done), self.skipped, remaining, self.stopping, wall, *spent, used)


def _how(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"was killed by {signal.Signals(-exit_code).name}"
    return f"ended with exit code {exit_code}"
