"""Runs as job arrays of SLURM: several short ones a job, queued again by SLURM or by themselves, merged as they come.

A slot is a run's (or a pack's) place in a job. What is assigned between two looks at the cluster is submitted as one
array; its jobs write what becomes of their runs to files (`spool`), from which the rows come. Jobs of a driver that was
killed go on, and the next start takes over what they have finished, ends them, and has the rest done anew from their
checkpoints.
"""

import dataclasses
import math
import shutil
import time
import uuid
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

from scaling_laws.cluster import ClusterConfig
from scaling_laws.sweep.cluster import spool
from scaling_laws.sweep.cluster.slurm import COMES_BACK, OVER, SlurmError
from scaling_laws.sweep.messages import Died, Done, Job, Returned, Said, Stopped
from scaling_laws.sweep.packing import Packing
from scaling_laws.sweep.planned import PlannedRun
from scaling_laws.sweep.slot import Slot

FOLDER = "slurm"  # in the workdir
PREFIX = "scaling-"
MOST = 10_000  # places: a sweep of more runs hands them out as these come free
LONGEST = 1000  # jobs of an array: SLURM's own limit, where nobody set another, is 1001
HURRY = 1.0  # seconds between two looks while jobs end
PATIENCE = 20  # looks in a row that SLURM leaves unanswered
SURE = 2  # looks in a row at which a job is over: one that is queued again seems so for a moment


class Cluster(Protocol):
    """What is asked of SLURM: `slurm.Slurm`."""

    def submit(self, folder: Path, count: int, name: str, at_once: int) -> str:
        """Submit the array of `count` jobs whose orders lie in `folder`: its number."""
        ...

    def states(self, arrays: Collection[str]) -> dict[str, str]:
        """ARRAY_INDEX -> its state now, of all jobs of these arrays. Raises SlurmError where that is not told."""
        ...

    def cancel(self, jobs: Sequence[str], kill: bool = False) -> None:
        """End jobs, or whole arrays: those that run write a checkpoint first, unless they are to be killed."""
        ...

    def clear(self, names: Collection[str], patience: float) -> None:
        """Cancel the arrays of these names, and wait until nothing of them runs."""
        ...


class Place(Slot):
    """Where a pack is done: in which job, and as which of its packs."""

    def __init__(self, name: str, cluster: Cluster):
        super().__init__(name)
        self._cluster = cluster
        self.ready = True
        self.order: Job | None = None  # assigned and not submitted
        self.at: ArrayJob | None = None
        self.begun = False

    @property
    def alive(self) -> bool:
        """Always: it is no process."""
        return True

    def hangs(self, now: float, limit: float) -> bool:
        """As `Slot`; one that waits in the queue does not."""
        return self.begun and super().hangs(now, limit)

    def end(self, why: str) -> None:
        """End its job; that is heard of as `Died`."""
        self.ended = why
        if self.at:
            self._cluster.cancel([self.at.number], kill=True)


@dataclasses.dataclass
class ArrayJob:
    """One job of an array: the places of its packs, and what was read of it."""

    array: str
    index: int
    folder: Path
    places: list[Place]
    tail: spool.Tail = dataclasses.field(default_factory=spool.Tail)
    over: int = 0

    @property
    def number(self) -> str:
        """ARRAY_INDEX."""
        return f"{self.array}_{self.index}"

    @property
    def open(self) -> list[Place]:
        """Those of its places that still have runs to do."""
        return [place for place in self.places if place.at is self and place.jobs]


class SlurmPool:
    """A `crew.Launcher` on SLURM, `at_once` jobs of an array at a time (0: as SLURM likes)."""

    exhausted = False

    def __init__(
        self,
        cluster: Cluster,
        settings: ClusterConfig,
        at_once: int,
        workdir: Path,
        corpus_hash: str,
        settled: Collection[str] = (),
    ):
        self._cluster, self._settings, self._limit = cluster, settings, at_once
        self._workdir, self._corpus_hash, self._settled = workdir.resolve(), corpus_hash, settled
        self.workers: list[Place] = []
        self._jobs: list[ArrayJob] = []
        self._given_up, self._refused = list[str](), ""
        self._folders: list[Path] = []
        self._earlier: dict[str, Done] = {}
        self._answers: list[tuple[Place, Any]] = []
        self.at_once = 1  # the most jobs that were open together
        self._looked, self._poll, self._unanswered = -math.inf, settings.poll_seconds, 0

    def __enter__(self) -> Self:
        self._folders = sorted(path.parent for path in (self._workdir / FOLDER).glob("*/0.json"))
        self._cluster.clear([folder.name for folder in self._folders], patience=120.0)
        self._earlier = {
            run_id: done for run_id, done in spool.rows(self._folders).items() if run_id not in self._settled
        }
        return self

    def __exit__(self, *error: object) -> None:
        self._cluster.cancel(self._open_arrays(), kill=True)
        if error == (None, None, None):
            for folder in self._folders:
                if not (self._earlier and self._earlier.keys() & spool.rows([folder]).keys()):
                    spool.clear(folder)  # else there are rows that nobody has asked for

    def start(self, count: int) -> None:
        """As `Launcher`: a place for every run, up to `MOST`."""
        for i in range(len(self.workers), min(count, MOST)):
            self.workers.append(Place(f"slurm-{i}", self._cluster))

    def try_out(self, each: Place, planned: PlannedRun, options: tuple[Packing, ...]) -> None:
        """Nothing is tried out: a job is too dear for that."""
        raise NotImplementedError

    def assign(self, each: Place, pack: Sequence[PlannedRun], packing: Packing, awaited: Collection[str] = ()) -> None:
        """As `Launcher`; what an earlier start's jobs have finished is answered from their files."""
        job = each.take(pack, packing, awaited)
        each.at, each.begun, each.ended = None, False, ""
        self._answers += [(each, self._earlier.pop(one.run_id)) for one in pack if one.run_id in self._earlier]
        known = {done.run_id for place, done in self._answers if place is each}
        left = tuple(one for one in job.members if one.run_id not in known)
        each.order = dataclasses.replace(job, members=left) if left else None

    def ask_to_stop(self) -> None:
        """As `Launcher`: SLURM tells jobs that run, and forgets those that wait."""
        self._poll = min(self._poll, HURRY)
        self._cluster.cancel(self._open_arrays())
        for place in self.workers:
            if place.order:
                place.order = None
                self._answers.append((place, Stopped()))

    def events(self, timeout: float) -> Iterator[tuple[Place, Any]]:
        """As `Launcher`."""
        answers, self._answers = self._answers, []
        yield from answers
        if time.monotonic() - self._looked < self._poll:
            time.sleep(min(timeout, self._poll))
            return
        self._looked = time.monotonic()
        self._submit()
        states = self._states()
        said = {folder: spool.by_job(folder) for folder in {job.folder for job in self._jobs}}
        for job in self._jobs:
            yield from self._heard(job, states.get(job.number, ""), said[job.folder].get(job.index, []))
        self._jobs = [job for job in self._jobs if job.open]
        given_up, self._given_up = self._given_up, []
        self._cluster.cancel(given_up, kill=True)  # were one queued again after all, its runs would be done twice

    def _open_arrays(self) -> list[str]:
        return sorted({job.array for job in self._jobs if job.open})

    def _states(self) -> dict[str, str]:
        """Of all jobs; none where SLURM does not answer. Raises SlurmError when it does not time and again."""
        try:
            states = self._cluster.states(self._open_arrays())
        except SlurmError:
            self._unanswered += 1
            if self._unanswered >= PATIENCE:
                raise
            return {}
        self._unanswered = 0
        return states

    def _heard(self, job: ArrayJob, state: str, paths: Sequence[Path]) -> Iterator[tuple[Place, Any]]:
        """What is new of a job; its state was asked for before its files are read, so nothing is read too late."""
        job.over = job.over + 1 if state in OVER else 0
        for line in job.tail.new(paths):
            place = job.places[line.pack]
            if place.at is not job or not place.jobs:
                continue  # of a run that is settled, or is tried elsewhere by now
            place.hear(line.message, time.monotonic())
            if isinstance(line.message, spool.Begun):
                place.begun = True
                place.begin(time.monotonic())
            elif isinstance(line.message, Stopped):
                place.begun = False  # it goes on when the job is queued again
            elif not isinstance(line.message, Done) or line.message.run_id in {one.run_id for one in place.jobs}:
                yield place, line.message
        if state == "PENDING":
            for place in job.open:
                place.begin(time.monotonic())  # waits: does not hang
        if job.over >= SURE:
            if job.open and state in COMES_BACK:
                self._given_up.append(job.number)
            for place in job.open:
                yield place, Died(None, _how(job, state)) if place.begun else Returned()

    def _submit(self) -> None:
        """What was assigned and not submitted, as one array: where there is a limit, as soon as fewer jobs are left."""
        places = [place for place in self.workers if place.order]
        if not places or 0 < self._limit <= len(self._jobs):
            return
        name = f"{PREFIX}{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}"
        folder = self._workdir / FOLDER / name
        folder.mkdir(parents=True)
        groups = share_out(places, self._settings.job_seconds, max(0, self._limit - len(self._jobs)))
        for index, group in enumerate(groups):
            orders = tuple(place.order for place in group if place.order)
            facts = (name, str(self._workdir), self._corpus_hash, self._settings.attempts, self._settings.minutes)
            spool.write_spec(folder, index, spool.Spec(*facts, orders))
        try:
            array = self._cluster.submit(folder, len(groups), name, self._limit)
        except SlurmError as error:
            shutil.rmtree(folder, ignore_errors=True)
            if not self._jobs:
                raise
            if str(error) != self._refused:  # a controller that is down, or a limit of the user's
                self._answers.append((places[0], Said(f"{error}; asked again as long as jobs run")))
            self._refused = str(error)
            return
        self._refused = ""
        self._folders.append(folder)
        for index, group in enumerate(groups):
            job = ArrayJob(array, index, folder, group)
            self._jobs.append(job)
            for place in group:
                place.order, place.at = None, job
        self.at_once = max(self.at_once, min(len(self._jobs), self._limit or len(self._jobs)))


def share_out(places: Sequence[Place], job_seconds: float, at_once: int) -> list[list[Place]]:
    """The packs of each job: as few jobs as keep to `job_seconds` a job, but `at_once` where there are so many packs,
    and `LONGEST` at most.

    The longest first, each to the job that has least to do; packs of one program stand together in a job.
    """
    seconds = {id(place): sum(planned.expected_seconds for planned in place.jobs) for place in places}
    total = sum(seconds.values())
    count = math.ceil(total / job_seconds) if job_seconds else len(places)
    count = min(len(places), max(count, at_once, 1), LONGEST)
    jobs: list[list[Place]] = [[] for _ in range(count)]
    load = [0.0] * count
    for place in sorted(places, key=lambda place: (-seconds[id(place)], place.jobs[0].run_id)):
        least = min(range(count), key=lambda i: (load[i], len(jobs[i])))
        jobs[least].append(place)
        load[least] += seconds[id(place)]
    return [sorted(job, key=lambda place: (place.jobs[0].program, place.jobs[0].run_id)) for job in jobs]


def _how(job: ArrayJob, state: str) -> str:
    return f"ended with its job {job.number}: {state}"
