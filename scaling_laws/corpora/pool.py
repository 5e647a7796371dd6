"""Units of work over processes, each of one thread."""

import concurrent.futures
import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from scaling_laws.corpora.unit import SourceError
from scaling_laws.corpora.work import Work
from scaling_laws.processes import die_with_parent

T = TypeVar("T")
ONE_THREAD = {"TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
THREADS = "/proc/self/task"  # Linux: an entry for each thread of this process


class Stopped(Exception):
    """Its caller asked the work to stop; what is finished is kept."""


def single_threaded() -> None:
    """Libraries that are imported from now on, here and in the processes of a pool, start no threads of their own."""
    os.environ.update(ONE_THREAD)


class Pool:
    """`workers` processes that stay for all passes; with one the work is done in this process."""

    def __init__(self, workers: int, stop: Callable[[], bool] = lambda: False):
        self.workers, self.stop = workers, stop
        self._executor: concurrent.futures.ProcessPoolExecutor | None = None

    def __enter__(self) -> "Pool":
        single_threaded()
        if self.workers > 1:
            context = multiprocessing.get_context("fork" if _may_fork() else "spawn")
            self._executor = concurrent.futures.ProcessPoolExecutor(self.workers, context, _begin)
        return self

    def __exit__(self, *_: object) -> None:
        if self._executor:
            self._executor.shutdown(cancel_futures=True)

    def run(
        self, function: Callable[..., T], works: Sequence[Work], tell: Callable[[Work], None], *more: Any
    ) -> list[T]:
        """`function(work, *more)` of each, in their order; `tell` hears of each as it ends.

        Raises Stopped after `stop()` answered True, SourceError where a process was killed, and what `function` raises.
        """
        if self._executor is None:
            return [self._here(function, work, tell, *more) for work in works]
        futures = {self._executor.submit(function, work, *more): work for work in works}
        try:
            left = set(futures)
            while left:
                ended, left = concurrent.futures.wait(left, 0.2, concurrent.futures.FIRST_COMPLETED)
                for future in ended:
                    future.result()
                    tell(futures[future])
                self._check()
        except concurrent.futures.process.BrokenProcessPool:
            self._check()
            raise SourceError("a process was killed, for want of memory perhaps; the same command goes on") from None
        finally:
            for future in futures:
                future.cancel()
        return [future.result() for future in futures]

    def _here(self, function: Callable[..., T], work: Work, tell: Callable[[Work], None], *more: Any) -> T:
        found = function(work, *more)
        tell(work)
        self._check()
        return found

    def _check(self) -> None:
        if self.stop():
            raise Stopped


def _may_fork() -> bool:
    """Whether this process has one thread alone: its copies have all that it has imported, and are there at once. The
    copy of one with several threads may hang."""
    return os.path.isdir(THREADS) and len(os.listdir(THREADS)) == 1


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; what it means, the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a copy of the parent would note it and go on
    die_with_parent()
