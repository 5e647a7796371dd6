"""The parent's side of the workers: start them, hand them runs, hear from them, bury and replace the dead."""

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Collection, Iterator, Sequence
from multiprocessing import connection
from pathlib import Path
from typing import Any

from scaling_laws.config import TaskConfig
from scaling_laws.sweep import machine, worker
from scaling_laws.sweep.messages import At, Died, Job, PackMember, Ready, Setup, Stop, Trial
from scaling_laws.sweep.packing import Packing
from scaling_laws.sweep.planned import PlannedRun

PRELOADED = ("jax", "jax.export", "scipy.linalg")  # other people's code alone: ours may change under a notebook
QUIET, SILENCES = 60.0, 20  # seconds, and longest silences so far: what a worker may be silent for between its steps
PATIENCE = 2  # deaths in a row before it was ready, after which a worker is not started again


class Worker:
    """A worker process and what the parent knows of it."""

    def __init__(self, name: str, core: int | None):
        self.name, self.core = name, core
        self.deaths = 0
        self.heard, self.silence, self.stepping = 0.0, 0.0, False
        self.ended = ""  # why its process was ended from here
        self.jobs: list[PlannedRun] = []
        self.trial: tuple[PlannedRun, tuple[Packing, ...]] | None = None
        self.ready = False
        self.compiled: set[tuple[int, int, int]] = set()
        self.process: Any = None
        self.pipe: connection.Connection | None = None

    @property
    def idle(self) -> bool:
        """Whether it waits for a run."""
        return self.ready and not self.jobs and not self.trial

    @property
    def wire(self) -> connection.Connection:
        """The pipe of a running worker."""
        assert self.pipe is not None, f"{self.name} does not run"
        return self.pipe

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
        if not limit or self.pipe is None or self.idle:
            return False
        return now - self.heard > (min(limit, max(QUIET, SILENCES * self.silence)) if self.stepping else limit)

    def end(self, why: str) -> None:
        """End its process; that is heard of as `Died`."""
        self.ended = why
        self.process.kill()

    def send(self, message: Any) -> None:
        """Send a message; one to a worker that has just died is lost, its end is heard of separately."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wire.send(message)


class Pool:
    """`n_workers` processes for one text, whose `task` they load first; a context manager that leaves none behind."""

    def __init__(self, n_workers: int, task: TaskConfig, workdir: Path, corpus_hash: str):
        self.task, self.workdir, self.corpus_hash = task, workdir, corpus_hash
        cores = machine.cores()
        pinned = hasattr(os, "sched_setaffinity") and n_workers == len(cores) and not machine.accelerator()
        self.workers = [Worker(f"worker-{i}", cores[i] if pinned else None) for i in range(n_workers)]

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._alive():
            each.process.kill()
        for each in self._alive():
            each.process.join()
            self._bury(each)

    def _alive(self) -> list[Worker]:
        return [each for each in self.workers if each.pipe is not None]

    def start(self, count: int) -> None:
        """Have at least `count` workers running, as far as the pool's size and their deaths allow."""
        missing = min(count, len(self.workers)) - len(self._alive())
        rested = [each for each in self.workers if each.pipe is None and each.deaths < PATIENCE]
        for each in rested[: max(0, missing)]:
            self._start(each)

    def _start(self, each: Worker) -> None:
        # not a fork of this process, whose threads would be copied; one import of JAX for all workers
        server = multiprocessing.get_context("forkserver")
        server.set_forkserver_preload(list(PRELOADED))
        ours, theirs = server.Pipe()
        setup = Setup(
            name=each.name,
            started=time.monotonic(),
            corpus_hash=self.corpus_hash,
            core=each.core,
            task=self.task,
            workdir=str(self.workdir),
            cache=str(machine.task_cache_folder()),
            programs=str(machine.compile_cache_folder()),
        )
        process = server.Process(target=worker.main, args=(theirs, setup), daemon=True, name=each.name)
        with _environment(machine.worker_environment()), _without_interrupts():
            process.start()
        theirs.close()  # else its end would never be heard of
        each.process, each.pipe, each.ready, each.compiled = process, ours, False, set()
        each.jobs, each.trial, each.ended = [], None, ""
        each.begin(setup.started)

    def try_out(self, each: Worker, planned: PlannedRun, options: tuple[Packing, ...]) -> None:
        """Have an idle worker measure how fast such runs advance in each of these packs."""
        each.trial = (planned, options)
        each.begin(time.monotonic())
        each.compiled.add(planned.program)
        each.send(Trial(planned.run, tuple((one.size, one.strategy, one.pack_devices) for one in options)))

    def assign(self, each: Worker, pack: Sequence[PlannedRun], packing: Packing, awaited: Collection[str] = ()) -> None:
        """Hand runs of one form to an idle worker; those `awaited` (run_ids) leave a checkpoint of their trunk."""
        each.jobs = list(pack)
        each.begin(time.monotonic())
        each.compiled.add(pack[0].program)
        members = tuple(
            PackMember(one.run_id, one.run, one.budget, one.purpose, one.lr_source, one.run_id in awaited, one.arm)
            for one in pack
        )
        alone = len(members) == 1
        strategy = "map" if alone else packing.strategy
        each.send(Job(members, strategy, 1 if alone else packing.pack_devices))

    def ask_to_stop(self) -> None:
        """Ask every worker to write its checkpoint and end."""
        for each in self._alive():
            each.send(Stop())

    @property
    def exhausted(self) -> bool:
        """Whether no worker runs and none may be started again."""
        return not self._alive() and all(each.deaths >= PATIENCE for each in self.workers)

    def events(self, timeout: float) -> Iterator[tuple[Worker, Any]]:
        """What the workers have to say within `timeout` seconds; `Died` when one ended."""
        pipes = [each.pipe for each in self.workers if each.pipe]
        spoke = connection.wait(pipes, timeout)
        for each in [each for each in self.workers if each.pipe in spoke]:
            try:
                message = each.wire.recv()
            except (EOFError, ConnectionResetError):
                each.process.join()
                message = Died(each.process.exitcode)
                each.deaths += not each.ready
                self._bury(each)
            each.hear(message, time.monotonic())
            if isinstance(message, Ready):
                each.ready, each.deaths = True, 0
            yield each, message

    def _bury(self, each: Worker) -> None:
        each.wire.close()
        each.process.close()
        each.pipe, each.process, each.ready = None, None, False


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Block Ctrl-C for a while: a child inherits that, and must not end by it while it is still starting."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set environment variables for a while: a child inherits those of its start."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
