"""A sweep of 24 short runs against 24 processes of their own, and against the stepping alone.

    scripts/bench sweep                 both sections, about ten minutes
    scripts/bench sweep --only=warm     some of: cold, warm
    scripts/bench sweep --rounds=3      pairs in alternation, medians and spread

Six shapes around "tiny", four learning rates each, 200 optimiser steps a run. `cold`: the compile cache empty, against
as many processes that each compile with the rate as a constant, as many at a time as the sweep has workers; the
prepared text is there for both. `warm`: the same sweep again into a new folder. The exit code is 0 whatever was
measured.
"""

import concurrent.futures
import contextlib
import os
import queue
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from absl import flags

from analysis import cli
from scaling_laws import table
from scaling_laws.sweep import machine
from scaling_laws.tasks import catalog
from scripts.benchmarks import accounts, sweep_grid
from scripts.benchmarks.accounts import Sweep
from scripts.benchmarks.measure import Cost, child
from scripts.benchmarks.report import Row, lines, progress, write
from scripts.benchmarks.train import chosen
from scripts.benchmarks.turns import environment, pinned


def run() -> None:
    """Runs the sections and prints their table. Raises ConfigError for bad input."""
    sections: dict[str, Callable[[int, int], list[Row]]] = {"cold": cold, "warm": warm}
    names = chosen("only", flags.FLAGS.only, sections)
    with _variables({"JAX_PLATFORMS": "cpu"}, ("JAX_COMPILATION_CACHE_DIR",)):
        workers = machine.worker_count(flags.FLAGS.workers)
        rows = [row for name in names for row in sections[name](flags.FLAGS.rounds, workers)]
    print("\n".join(lines(rows)))
    if flags.FLAGS.out:
        write(rows, Path(flags.FLAGS.out))


def cold(rounds: int, workers: int) -> list[Row]:
    """The sweep from an empty compile cache, beside as many processes of their own."""
    sweeps, alone = [], []
    for index in range(rounds):
        with _fresh_cache():
            sweeps.append(_sweep(f"cold sweep, round {index + 1}", workers))
            alone.append(_processes(f"processes of their own, round {index + 1}", workers))
    return accounts.cold(sweeps, alone, workers)


def warm(rounds: int, workers: int) -> list[Row]:
    """The sweep again, its programs in the cache, its folder new, beside its own seconds of stepping."""
    with _fresh_cache():
        _sweep("a sweep that fills the compile cache", workers)
        sweeps = [_sweep(f"warm sweep, round {index + 1}", workers) for index in range(rounds)]
    return accounts.warm(sweeps, workers)


@contextlib.contextmanager
def _fresh_cache() -> Iterator[None]:
    """An empty cache folder for a while, but for the prepared text."""
    with tempfile.TemporaryDirectory() as folder, _variables({"XDG_CACHE_HOME": folder}):
        catalog.load(sweep_grid.experiment().task, machine.task_cache_folder())
        yield


@contextlib.contextmanager
def _variables(changed: Mapping[str, str], without: tuple[str, ...] = ()) -> Iterator[None]:
    """Environment variables for a while: those of this process and of the children that it starts."""
    before = dict(os.environ)
    os.environ.update(changed)
    for name in without:
        os.environ.pop(name, None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _sweep(what: str, workers: int) -> Sweep:
    """The sweep into a new folder, through the command that a user types."""
    progress(what)
    with tempfile.TemporaryDirectory() as folder:
        sweep = ("-m", "scripts.benchmarks.reaped", "-m", "experiments.sweep")
        words = (*sweep, f"--workdir={folder}", f"--config.sweep.workers={workers}")
        cost = child((*words, *sweep_grid.words()))
        rows = table.read_runs(Path(folder)).to_pylist()
    accounts.check(rows)
    progress(f"  {cost.wall:.1f} s, {cost.cpu:.1f} CPU-s")
    return Sweep(cost, tuple(rows))


def _processes(what: str, workers: int) -> Cost:
    """Every run in a process of its own, `workers` at a time, each on a core of its own."""
    cores: queue.SimpleQueue[int] = queue.SimpleQueue()
    for index in range(workers):
        cores.put(machine.cores()[index % len(machine.cores())])

    def one(point: tuple[int, int, float]) -> Cost:
        core = cores.get()
        try:
            with pinned(core):
                return child(("-m", "scripts.benchmarks.cold_run", *map(str, point)))
        finally:
            cores.put(core)

    progress(what)
    with _variables(environment()), concurrent.futures.ThreadPoolExecutor(workers) as threads:
        whole = accounts.together(lambda: list(threads.map(one, sweep_grid.singles())))
    progress(f"  {whole.wall:.1f} s, {whole.cpu:.1f} CPU-s")
    return whole


def define_flags() -> None:
    """The flags of this benchmark."""
    flags.DEFINE_string("only", None, "sections to run, separated by commas; default: all")
    flags.DEFINE_integer("rounds", 1, "how often each is measured", lower_bound=1)
    flags.DEFINE_integer("workers", 0, "processes at a time; 0: one a core", lower_bound=0)
    flags.DEFINE_string("out", None, "JSON file to write")


if __name__ == "__main__":
    define_flags()
    cli.main(run)
