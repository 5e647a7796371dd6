"""The parent's side of the workers: start them, hand them runs, hear from them, bury and replace the dead."""

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from multiprocessing import connection
from pathlib import Path
from typing import Any

from scaling_laws.config import TaskConfig
from scaling_laws.sweep import machine, worker
from scaling_laws.sweep.crew import Crew, Messenger
from scaling_laws.sweep.messages import Died, Ready, Setup

PRELOADED = ("jax", "jax.export", "scipy.linalg")  # other people's code alone: ours may change under a notebook


class Worker(Messenger):
    """A worker process and what the parent knows of it."""

    def __init__(self, name: str, core: int | None):
        super().__init__(name)
        self.core = core
        self.process: Any = None
        self.pipe: connection.Connection | None = None

    @property
    def alive(self) -> bool:
        """Whether its process runs, as far as the parent has heard."""
        return self.pipe is not None

    @property
    def wire(self) -> connection.Connection:
        """The pipe of a running worker."""
        assert self.pipe is not None, f"{self.name} does not run"
        return self.pipe

    def end(self, why: str) -> None:
        """End its process; that is heard of as `Died`."""
        self.ended = why
        self.process.kill()

    def send(self, message: Any) -> None:
        """As `Messenger`."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wire.send(message)


class Pool(Crew[Worker]):
    """`n_workers` processes for one text, whose `task` they load first; a context manager that leaves none behind."""

    def __init__(self, n_workers: int, task: TaskConfig, workdir: Path, corpus_hash: str):
        self.task, self.workdir, self.corpus_hash = task, workdir, corpus_hash
        cores = machine.cores()
        pinned = hasattr(os, "sched_setaffinity") and n_workers == len(cores) and not machine.accelerator()
        super().__init__([Worker(f"worker-{i}", cores[i] if pinned else None) for i in range(n_workers)])

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._alive():
            each.process.kill()
        for each in self._alive():
            each.process.join()
            self._bury(each)

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
        each.process, each.pipe = process, ours
        each.restart(setup.started)

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
