"""What a sweep's driver costs with a thousand workers and a hundred thousand runs, and how its table grows.

    scripts/bench launcher                          100,000 runs on 1000 workers, some twenty minutes of one core
    scripts/bench launcher --runs=5000 --workers=100   half a minute
    scripts/bench launcher --out=FOLDER             writes growth.csv and the figure there

The driver, its schedule, the check of the learning rates, the journal with its fsync and the tables are the real ones;
workers are simulated (`simulated.Habits`): they tell their steps twice a second, die and are started again, and some
runs raise, diverge or kill their worker whenever they are tried. The clock goes on by what the driver takes, so that
one that is too slow shows as workers that stand still. In the end every run must be in the table exactly once, with the
status and the loss that its worker gave it. The exit code is 0 whatever was measured.
"""

import dataclasses
import resource
import sys
import tempfile
import time
import types
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

from absl import flags

from analysis import cli
from scaling_laws import config, spec, table
from scaling_laws.config import ConfigError, ExperimentConfig
from scaling_laws.progress import Progress, duration
from scaling_laws.sweep import execute as driver
from scaling_laws.sweep import rates
from scaling_laws.sweep.choice import Choices
from scaling_laws.sweep.pace import Pace
from scaling_laws.sweep.packing import Packing
from scaling_laws.sweep.plan import Plan, plan
from scaling_laws.sweep.planned import PlannedRun, TaskFacts
from scaling_laws.sweep.summary import Summary
from scaling_laws.table import journal as journals
from scripts.benchmarks import launched
from scripts.benchmarks.report import Row, lines, progress
from scripts.benchmarks.simulated import Clock, Fate, Habits, SimulatedPool

SHAPES, BUDGETS, RATES = 20, 10, 5  # seeds make up the rest
SHARE = 0.01  # bar: of the workers' time
MEAN_SECONDS = 60.0  # of a run
SAMPLES = 200  # times that the driver is looked at


@dataclasses.dataclass(frozen=True)
class Sample:
    """Where a simulation was: rows so far, simulated seconds, the driver's among them, its CPU-seconds."""

    rows: int
    seconds: float
    driver: float
    cpu: float


@dataclasses.dataclass(frozen=True)
class Simulation:
    """What came out: the runs, and by the workers' clock the seconds that they were busy and stood still."""

    known: dict[str, PlannedRun]
    summary: Summary
    pool: SimulatedPool
    samples: list[Sample]
    peak_bytes: int

    @property
    def share(self) -> float:
        """The driver's seconds over those of the workers' runs."""
        return self.samples[-1].driver / self.pool.busy


def run() -> None:
    """Simulates, checks the table, measures its growth, prints it all and writes it to --out."""
    grid = a_plan(flags.FLAGS.runs)
    habits = Habits(tell=flags.FLAGS.tell)
    with tempfile.TemporaryDirectory() as folder:
        workdir = Path(flags.FLAGS.workdir or folder)
        workdir.mkdir(parents=True, exist_ok=True)
        if (workdir / journals.JOURNAL).exists():
            raise ConfigError(f"--workdir: {workdir} has runs; allowed: a folder without")
        done = simulate(grid, workdir, flags.FLAGS.workers, habits)
        rows = [*overhead(done), correct(done, workdir, start=1)]
        progress("\n".join(lines(rows)))
        again = simulate(grid, workdir, flags.FLAGS.workers, habits)
        again.known.update(done.known)  # the checks of rates among them, which are settled
        rows += [correct(again, workdir, start=2)]
        growth = launched.growth(workdir)
        rows += launched.rows(growth)
    print("\n".join(lines(rows)))
    if flags.FLAGS.out:
        launched.write([(one.rows, one.driver, one.cpu) for one in done.samples], growth, Path(flags.FLAGS.out))


def a_plan(n_runs: int) -> Plan:
    """A sweep of so many runs (of thousands), a minute each on the mean, over 1.5 decades of compute."""
    seeds = tuple(range(max(1, n_runs // (SHAPES * BUDGETS * RATES))))
    settings = {
        "model.width": 0,
        "model.depth": 0,
        "model.head_dim": 8,
        "sweep.widths": tuple(range(64, 64 + 8 * SHAPES // 2, 8)),
        "sweep.depths": (2, 3),
        "sweep.budgets": tuple(1e14 * 10 ** (1.5 * i / (BUDGETS - 1)) for i in range(BUDGETS)),
        "sweep.shapes_per_budget": 0,
        "sweep.seeds": seeds,
        "sweep.lr_multipliers": (1.0, 2.0, 4.0, 8.0, 16.0),  # the best at the edge: the check adds some
        "sweep.lr_check": True,
        "sweep.max_epochs": 1e3,
    }
    facts = TaskFacts(unique_tokens=2**30, corpus_hash="simulated", spec=spec.text(256, 128))
    began = time.perf_counter()
    grid = plan(config.replace(ExperimentConfig(), settings), facts)
    progress(f"{len(grid.runs):,} runs planned in {duration(time.perf_counter() - began)}")
    rate = sum(planned.flops for planned in grid.runs) / len(grid.runs) / MEAN_SECONDS
    runs = (dataclasses.replace(one, expected_seconds=one.flops / rate) for one in grid.runs)
    return dataclasses.replace(grid, runs=tuple(runs), pace=Pace(default=rate))


def simulate(grid: Plan, workdir: Path, n_workers: int, habits: Habits) -> Simulation:
    """What `sweep.study.run_plan` does, with simulated workers."""
    clock, known = Clock(), {planned.run_id: planned for planned in grid.runs}
    samples, check, fate = [Sample(0, 0.0, 0.0, 0.0)], rates.RateCheck(grid), Fate(habits, grid.facts)
    timer = types.SimpleNamespace(monotonic=clock)
    every = max(1, len(grid.runs) // SAMPLES)

    def more(rows: list[driver.Row]) -> list[PlannedRun]:
        wanted = check.next_rates(rows)
        known.update((planned.run_id, planned) for planned in wanted)
        return wanted

    with Progress(len(grid.runs), "runs") as shown, open(workdir / "sweep.log", "a") as log:
        n_rows = 0

        def say(line: str) -> None:
            nonlocal n_rows
            print(line, file=log, flush=True)
            if line.startswith("["):
                n_rows += 1
                if n_rows % every == 0:
                    clock.stop()
                    samples.append(Sample(n_rows, clock(), clock.driver, clock.cpu))
                    shown.update(n_rows, f"{1e3 * clock.driver / n_rows:.2f} ms each")
                    clock.go()

        clock.go()
        with table.Journal(workdir) as journal, mock.patch.object(driver, "time", timer):
            pool = SimulatedPool(n_workers, fate, clock)
            choices = Choices(Packing.of(grid.config.sweep), Packing.options(grid.config.sweep))
            workers: Any = pool
            summary = driver.execute(grid.runs, grid.facts, workers, journal, say=say, more=more, choices=choices)
        clock.stop()
    if summary.interrupted:
        raise KeyboardInterrupt
    samples.append(Sample(n_rows, clock(), clock.driver, clock.cpu))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Simulation(known, summary, pool, samples, peak)


def overhead(done: Simulation) -> list[Row]:
    """The driver's work beside that of the workers."""
    last, pool = done.samples[-1], done.pool
    tenth = len(done.samples) // 10
    whole, early, late = (_each(done.samples[i], done.samples[j]) for i, j in ((0, -1), (0, tenth), (-1 - tenth, -1)))
    still = pool.still / (pool.busy + pool.still)
    said = f"{last.rows:,} rows, {pool.messages:,} messages, {pool.deaths:,} workers died"
    return [
        Row("driver over the workers' runs", f"{SHARE:.0%}", f"{done.share:.3%} ({said})", done.share < SHARE),
        Row("workers that stand still between runs", f"{SHARE:.0%}", f"{still:.3%} of their time", still < SHARE),
        Row("driver a row, by the clock and CPU", "", f"{whole}; of the first tenth {early}, of the last {late}"),
        Row("driver over the clock", "", f"{last.driver / last.seconds:.1%} of {duration(last.seconds)}"),
        Row("the process' memory at its peak", "", f"{done.peak_bytes / 2**30:.2f} GiB, the simulation's included"),
    ]


def _each(first: Sample, last: Sample) -> str:
    n_rows = max(1, last.rows - first.rows)
    return f"{1e3 * (last.driver - first.driver) / n_rows:.2f} ms ({1e3 * (last.cpu - first.cpu) / n_rows:.2f})"


def correct(done: Simulation, workdir: Path, start: int) -> Row:
    """Every run once in the table, as its worker ended it; settled ones once in the journal, whatever failed before."""
    rows = {row["run_id"]: row for row in table.read_runs(workdir).select(["run_id", "status", "loss"]).to_pylist()}
    with journals.reading(workdir / journals.JOURNAL, curves=False) as scan:
        lines_of = Counter((record["run"]["run_id"], record["run"]["status"] in table.SETTLED) for record in scan)
    wrong = {*rows} ^ {*done.known}
    for run_id in {*rows} & {*done.known}:
        row, end = rows[run_id], done.pool.end_of(done.known[run_id])
        once = lines_of[run_id, True] == (end != "failed") and lines_of[run_id, False] <= start
        loss = done.pool.fate.loss(done.known[run_id]) if end == "finished" else None
        if not once or (row["status"], row["loss"]) != (end, loss):
            wrong.add(run_id)
    counts = ", ".join(f"{n:,} {status}" for status, n in Counter(row["status"] for row in rows.values()).items())
    what = f"runs missing, twice or wrong after start {start}"
    return Row(what, "0", f"{len(wrong)} of {len(done.known):,} ({counts})", not wrong)


def define_flags() -> None:
    """The flags of this benchmark."""
    flags.DEFINE_integer("runs", 100_000, "of the sweep, in thousands", lower_bound=1000, upper_bound=100_000)
    flags.DEFINE_integer("workers", 1000, "simulated", lower_bound=1)
    flags.DEFINE_float("tell", Habits.tell, "seconds between two steps that a worker tells", lower_bound=0.01)
    flags.DEFINE_string("workdir", None, "folder for journal and tables, gigabytes; default: one that is removed")
    flags.DEFINE_string("out", None, "folder for growth.csv and the figure")


if __name__ == "__main__":
    define_flags()
    cli.main(run)
