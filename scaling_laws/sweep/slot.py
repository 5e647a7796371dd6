"""A place in which runs are done, on whatever machine, and what the sweep knows of it."""

import time
from collections.abc import Collection, Sequence
from typing import Any

from scaling_laws.sweep.messages import At, Job, PackMember, Trial
from scaling_laws.sweep.packing import Packing
from scaling_laws.sweep.planned import PlannedRun

QUIET, SILENCES = 60.0, 20  # seconds, and longest silences so far: what a worker may be silent for between its steps


class Slot:
    """A worker as the sweep sees it, between its starts and ends."""

    queues = False  # whether it may have to wait, for nobody knows how long, until it is ready

    def __init__(self, name: str):
        self.name = name
        self.deaths = 0
        self.heard, self.silence, self.stepping = 0.0, 0.0, False
        self.ended = ""  # why it was ended from here
        self.jobs: list[PlannedRun] = []
        self.trial: tuple[PlannedRun, tuple[Packing, ...]] | None = None
        self.ready = False
        self.compiled: set[tuple[int, int, int]] = set()

    @property
    def alive(self) -> bool:
        """Whether it is started."""
        raise NotImplementedError

    @property
    def idle(self) -> bool:
        """Whether it waits for a run."""
        return self.ready and not self.jobs and not self.trial

    def restart(self, now: float) -> None:
        """Note that it was started, with nothing to do yet."""
        self.ready, self.compiled, self.jobs, self.trial, self.ended = False, set(), [], None, ""
        self.begin(now)

    def hear(self, message: Any, now: float) -> None:
        """Note that it is alive."""
        if self.stepping:
            self.silence = max(self.silence, now - self.heard)
        self.stepping = bool(self.jobs) and (self.stepping or isinstance(message, At))
        self.heard = now

    def begin(self, now: float) -> None:
        """Note that it was given something to do."""
        self.heard, self.silence, self.stepping = now, 0.0, False

    def hangs(self, now: float, limit: float) -> bool:
        """Whether it has been silent for longer than its own rate explains, or than `limit` before it steps."""
        if not limit or not self.alive or self.idle or (self.queues and not self.ready):
            return False
        return now - self.heard > (min(limit, max(QUIET, SILENCES * self.silence)) if self.stepping else limit)

    def end(self, why: str) -> None:
        """End it; that is heard of as `Died`."""
        raise NotImplementedError

    def take(self, pack: Sequence[PlannedRun], packing: Packing, awaited: Collection[str]) -> Job:
        """Note that it does these runs now: the job that says so. Those `awaited` leave a checkpoint of their trunk."""
        self.jobs = list(pack)
        self.begin(time.monotonic())
        self.compiled.add(pack[0].program)
        return job_of(pack, packing, awaited)

    def try_out(self, planned: PlannedRun, options: tuple[Packing, ...]) -> Trial:
        """Note that it measures such runs in these packs: the message that says so."""
        self.trial = (planned, options)
        self.begin(time.monotonic())
        self.compiled.add(planned.program)
        return Trial(planned.run, tuple((one.size, one.strategy, one.pack_devices) for one in options))


def job_of(pack: Sequence[PlannedRun], packing: Packing, awaited: Collection[str]) -> Job:
    """What a worker is told of a pack."""
    members = tuple(
        PackMember(one.run_id, one.run, one.budget, one.purpose, one.lr_source, one.run_id in awaited, one.arm)
        for one in pack
    )
    alone = len(members) == 1
    strategy = "map" if alone else packing.strategy
    return Job(members, strategy, 1 if alone else packing.pack_devices)
