"""A job of an array: does its packs one after the other, and goes on where an earlier start of it ended.

    python -m scaling_laws.sweep.cluster.slurm_job FOLDER      (SLURM says which one of the array)

SIGTERM: it writes a checkpoint and ends: it is cancelled, or pre-empted. SLURM queues a pre-empted job again only
where it has not ended by itself within its grace; so what is left of it the driver submits anew.
SIGUSR2: the time limit is near; it writes a checkpoint and has itself queued again.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scaling_laws.command import REQUEUE
from scaling_laws.sweep import machine, worker
from scaling_laws.sweep.cluster import spool
from scaling_laws.sweep.messages import At, Done, Failed, Job, Setup, Trial, Unable

TELL_EVERY = 2.0  # seconds between two steps that are told, for the sake of the file system


class Logbook:
    """What a start of a job is told and says: a `worker.Post` on the files of the job."""

    def __init__(self, folder: Path, index: int, restart: int, clock: Callable[[], float] = time.monotonic):
        self.spec = spool.read_spec(folder, index)
        earlier = spool.said(folder, index)
        self._open = _Open(self.spec, earlier)
        self._log = spool.Log(folder, index, restart)
        self._pack, self._clock, self._told_at = 0, clock, -TELL_EVERY
        self._ended = False
        self.asked_to_stop = False

    def send(self, message: Any) -> None:
        """As `worker.Post`."""
        if isinstance(message, At):
            if self._clock() - self._told_at < TELL_EVERY:
                return
            self._told_at = self._clock()
        self._ended |= isinstance(message, Unable)
        self._open.note(spool.Line(self._pack, message))
        self._log.add(self._pack, message)

    def next_job(self) -> Job | Trial | None:
        """As `worker.Post`: the members of the next pack that have no row yet."""
        while not self._ended and not self.asked_to_stop and (self._pack_left()):
            if self._open.deaths(self._pack) >= self.spec.attempts:
                self.send(Failed(f"its job died {self.spec.attempts} times under it"))
                continue
            self.send(spool.Begun())
            return self._open.job(self._pack)
        return None

    def _pack_left(self) -> bool:
        left = self._open.left()
        self._pack = left[0] if left else self._pack
        return bool(left)

    def stop(self) -> bool:
        """As `worker.Post`."""
        return self.asked_to_stop

    def worth_another_start(self) -> bool:
        """Whether something is left; a pack that several starts in a row did not bring forward has failed."""
        if not self._open.left() or self._ended:
            return False
        if self._open.fruitless(self._pack) >= self.spec.attempts:
            limit = f"the time limit of {self.spec.minutes} min"
            self.send(Failed(f"not one step within {limit}, {self.spec.attempts} times"))
        return bool(self._open.left())


class _Open:
    """What of the packs is left, by what was said of them."""

    def __init__(self, spec: spool.Spec, earlier: list[spool.Line]):
        self._packs = spec.packs
        self._begun, self._failed = [0] * len(spec.packs), [False] * len(spec.packs)
        self._fruitless, self._steps = [0] * len(spec.packs), set[int]()  # starts in a row; steps seen by the last one
        self._rows: set[str] = set()
        for line in earlier:
            self.note(line)

    def note(self, line: spool.Line) -> None:
        match line.message:
            case spool.Begun():
                self._begun[line.pack] += 1
                self._steps = set()
            case At(_, step):
                self._steps.add(step)
            case Failed():
                self._failed[line.pack] = True
            case Done(run_id):
                self._rows.add(run_id)
                self._fruitless[line.pack] = -1  # a row is fruit enough of this start
            case message if isinstance(message, spool.CLOSING):
                self._begun[line.pack] = 0  # ended in order: no death
                self._fruitless[line.pack] = 0 if len(self._steps) > 1 else self._fruitless[line.pack] + 1

    def left(self) -> list[int]:
        return [pack for pack, failed in enumerate(self._failed) if not failed and self.job(pack).members]

    def deaths(self, pack: int) -> int:
        return self._begun[pack]

    def fruitless(self, pack: int) -> int:
        return self._fruitless[pack]

    def job(self, pack: int) -> Job:
        job = self._packs[pack]
        members = tuple(one for one in job.members if one.run_id not in self._rows)
        return Job(members, job.strategy, job.pack_devices) if len(members) > 1 else Job(members, "map", 1)


def main(folder: Path) -> int:
    """Do what is left of this job's packs."""
    index = int(os.environ["SLURM_ARRAY_TASK_ID"])
    book = Logbook(folder, index, int(os.environ.get("SLURM_RESTART_COUNT", "0")))
    heard: list[int] = []

    def note(number: int, _: object) -> None:
        heard.append(number)
        book.asked_to_stop = True

    for number in (signal.SIGTERM, signal.SIGUSR2):
        signal.signal(number, note)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    spec = book.spec
    setup = Setup(
        name=f"{spec.name}-{index}",
        started=time.monotonic(),
        corpus_hash=spec.corpus_hash,
        core=None,
        task=spec.packs[0].members[0].run.task,
        workdir=spec.workdir,
        cache=str(machine.task_cache_folder()),
        programs=str(machine.compile_cache_folder()),
    )
    worker.serve(book, setup)
    if signal.SIGUSR2 in heard and signal.SIGTERM not in heard and book.worth_another_start():
        return _requeue(lambda: signal.SIGTERM in heard)
    return 0


def _requeue(asked_to_end: Callable[[], bool]) -> int:
    """Have SLURM queue this job again, which asks it to end."""
    names = [os.environ.get(f"SLURM_ARRAY_{word}_ID", "") for word in ("JOB", "TASK")]
    done = subprocess.run(["scontrol", "requeue", "_".join(names)], check=False)
    until = time.monotonic() + 60
    while done.returncode == 0 and not asked_to_end() and time.monotonic() < until:
        time.sleep(0.1)  # an end of its own might come first, and would be that of the job
    return REQUEUE


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
