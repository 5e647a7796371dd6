"""A whole sweep from its configuration: load the task, plan, train, check the learning rates, write the tables."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from scaling_laws import table
from scaling_laws.config import ConfigError, ExperimentConfig
from scaling_laws.sweep import machine, rates, show
from scaling_laws.sweep.execute import SETTLED, Row, Summary, execute
from scaling_laws.sweep.pace import measured_pace
from scaling_laws.sweep.plan import Plan, plan
from scaling_laws.sweep.planned import PlannedRun, TaskFacts
from scaling_laws.sweep.pool import Pool
from scaling_laws.tasks import catalog

Say = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Study:
    """What `run_sweep` leaves: the plan, what this start did, and the learning-rate check of each budget."""

    plan: Plan
    summary: Summary
    rates: tuple[rates.RateReport, ...]


def facts_of(config: ExperimentConfig) -> TaskFacts:
    """The facts that a plan needs, from the task itself."""
    task = catalog.load(config.task, machine.cache_folder() / "tasks")
    return TaskFacts(unique_tokens=task.unique_tokens, corpus_hash=task.content_hash, vocab_size=task.vocab_size)


def plan_sweep(config: ExperimentConfig, workdir: Path | None = None) -> Plan:
    """The plan of a sweep, its expected times by what was measured in `workdir` when there are rows."""
    rows = []
    if workdir is not None and (workdir / "journal.jsonl").exists():
        rows = table.read_runs(workdir).to_pylist()
    return plan(config, facts_of(config), measured_pace(rows))


def run_sweep(config: ExperimentConfig, workdir: Path, say: Say = print) -> Study:
    """Do what is left of a sweep in `workdir` and compact its tables.

    Raises ConfigError for bad settings or when no run fits, TableError when another process uses the workdir.
    """
    grid = plan_sweep(config, workdir)
    if not grid.runs:
        raise ConfigError(_nothing(grid))
    n_workers = machine.worker_count(config.sweep.workers)
    for line in show.totals(grid, n_workers):
        say(line)
    return run_plan(grid, grid.runs, workdir, n_workers, say)


def run_plan(grid: Plan, runs: tuple[PlannedRun, ...], workdir: Path, n_workers: int, say: Say = print) -> Study:
    """Do `runs` of a plan, and the learning-rate checks that the plan's configuration asks for."""
    with table.Journal(workdir, say) as journal, Pool(n_workers, grid.config.task, workdir) as pool:

        def more(rows: list[Row]) -> list[PlannedRun]:
            return rates.next_rates(grid, rows)

        summary = execute(runs, grid.facts, pool, journal, say=say, more=more)
        table.compact(workdir)
        rows = [row for row in journal.rows() if row["status"] in (*SETTLED, "failed")]
    entries = tuple(rates.report(grid, rows))
    told = [entry for entry in entries if grid.config.sweep.lr_check or len(entry.rates) > 1]
    for line in [*map(rates.describe, told), summary.line()]:
        say(line)
    if summary.interrupted:
        say(f"stopped with {show.plural(summary.remaining, 'run')} to go; the same command goes on from here")
    return Study(grid, summary, entries)


def _nothing(grid: Plan) -> str:
    first = grid.refusals[0]
    where = "any budget" if first.budget is None else f"{first.budget:.3g} FLOPs"
    return (
        f"sweep.budgets: no shape fits any of {len(grid.config.sweep.budgets)}; the first refusal of "
        f"{len(grid.refusals)}: width {first.width} depth {first.depth} at {where}: {first.reason}"
    )
