"""Worker processes that stay alive and take turns: one line of JSON to a worker, one line back.

Two sides that alternate on one core meet the same clock rate, the same neighbours and the same caches, so that the
ratio of a pair of rounds says more than two long measurements one after the other.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from scaling_laws.sweep import machine
from scripts.benchmarks.measure import ROOT

OURS = ("-m", "scripts.benchmarks.step_worker")


class WorkerEnded(RuntimeError):
    """A worker has ended before it answered; what it said stands on standard error."""


class Partner:
    """A worker process; a context manager that leaves none behind."""

    def __init__(self, words: Sequence[str]):
        """Starts `words` on one core with the environment of a sweep's workers, and waits until it says hello."""
        self._words = list(words)
        with pinned(machine.cores()[-1]):
            self._process = subprocess.Popen(
                self._words, cwd=ROOT, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        self.hello = self._answer()

    def __enter__(self) -> "Partner":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, **job: Any) -> dict[str, Any]:
        """The worker's answer to a job. Raises WorkerEnded."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # heard of below
            self._process.stdin.write(json.dumps(job) + "\n")
            self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise WorkerEnded(f"{' '.join(self._words)} ended with {self._process.wait()}")
        return json.loads(line)


def our_worker() -> Partner:
    """A process that times this project's training step; see step_worker.py for the jobs."""
    return Partner((sys.executable, *OURS))


def environment() -> dict[str, str]:
    """That of a sweep's workers on a CPU: one thread, and no programs kept from before."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JAX_COMPILATION_CACHE")}
    return kept | machine.worker_environment()


@contextlib.contextmanager
def pinned(core: int) -> Iterator[None]:
    """This thread, and the processes it starts, on one core for a while, where the system has such a thing."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
