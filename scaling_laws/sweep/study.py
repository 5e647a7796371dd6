"""A whole sweep from its configuration: load the task, plan, train, check the learning rates, write the tables."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from scaling_laws import table
from scaling_laws.config import ConfigError, ExperimentConfig
from scaling_laws.sweep import launch, machine, pace, rates, show
from scaling_laws.sweep.execute import More, execute, nothing_more
from scaling_laws.sweep.plan import Plan, plan
from scaling_laws.sweep.planned import PlannedRun, TaskFacts
from scaling_laws.sweep.summary import Row, Summary
from scaling_laws.tasks import catalog, unchanged
from scaling_laws.train import saved, source, teacher

Say = Callable[[str], None]


def say_now(line: str) -> None:
    """A line on standard output at once, into a file too."""
    print(line, flush=True)


@dataclasses.dataclass(frozen=True)
class Study:
    """What `run_sweep` leaves: the plan, what this start did, and the learning-rate check of each budget."""

    plan: Plan
    summary: Summary
    rates: tuple[rates.RateReport, ...]


def facts_of(config: ExperimentConfig, say: Say = say_now) -> TaskFacts:
    """The facts that a plan needs, from the task itself, whose notes are said."""
    task = catalog.load(config.task, machine.task_cache_folder())
    for note in task.notes:
        say(f"task: {note}")
    return TaskFacts.of(task)


def plan_sweep(config: ExperimentConfig, workdir: Path | None = None, say: Say = say_now) -> Plan:
    """The plan of a sweep, its expected times by what was measured in `workdir` when there are rows.

    Raises as `plan`, and where a run's source or teacher is not there or does not fit (`train.source`,
    `train.teacher`).
    """
    rows = []
    if workdir is not None and (workdir / "journal.jsonl").exists():
        rows = table.read_runs(workdir, say).select(pace.READS).to_pylist()
    found = plan(config, facts_of(config, say), pace.measured_pace(rows))
    if workdir is not None:
        for planned in found.runs:
            source.of(planned.run, workdir)
            teacher.of(planned.run, workdir, found.facts.spec, found.facts.corpus_hash)
    return found


def run_sweep(config: ExperimentConfig, workdir: Path, say: Say = say_now) -> Study:
    """Plan a sweep and do what is left of it in `workdir`. Raises as `plan_sweep` and `run_grid`."""
    return run_grid(plan_sweep(config, workdir, say), workdir, say)


def run_grid(grid: Plan, workdir: Path, say: Say = say_now) -> Study:
    """Do what is left of a plan in `workdir` and compact its tables.

    Raises ConfigError when no run fits, TableError when another process uses the workdir.
    """
    if not grid.runs:
        raise ConfigError(_nothing(grid))
    n_workers = launch.worker_count(grid.config)
    for line in show.totals(grid, n_workers):
        say(line)
    return run_plan(grid, grid.runs, workdir, n_workers, say)


def run_plan(grid: Plan, runs: tuple[PlannedRun, ...], workdir: Path, n_workers: int, say: Say = say_now) -> Study:
    """Do `runs`, and the learning-rate checks that the plan's configuration asks for at their budgets."""
    budgets, check = {planned.budget for planned in runs}, rates.RateCheck(grid)

    def more(rows: list[Row]) -> list[PlannedRun]:
        return [planned for planned in check.next_rates(rows) if planned.budget in budgets]

    summary, rows = train_runs(grid.config, grid.facts, runs, workdir, n_workers, say, more)
    entries = tuple(entry for entry in rates.report(grid, rows) if entry.budget in budgets)
    told = [entry for entry in entries if grid.config.sweep.lr_check or len(entry.rates) > 1]
    for line in [*map(rates.describe, told), *endings(summary)]:
        say(line)
    return Study(grid, summary, entries)


def train_runs(
    config: ExperimentConfig,
    facts: TaskFacts,
    runs: tuple[PlannedRun, ...],
    workdir: Path,
    n_workers: int,
    say: Say = say_now,
    more: More = nothing_more,
) -> tuple[Summary, list[Row]]:
    """Do what is left of `runs`, and of what `more` names, and compact the tables: what was done, and all rows.

    They go where `config.cluster.launcher` says; `n_workers` are those of this machine.
    """
    choices, limits = launch.choices(config), launch.limits(config)
    with table.Journal(workdir, say) as journal:
        unchanged.check(journal.rows(), config.task, facts.corpus_hash, workdir)
        saved.check_kept(journal.rows(), [(planned.run_id, planned.run) for planned in runs], workdir)
        settled = {row["run_id"] for row in journal.rows() if row["status"] in table.SETTLED}
        with launch.launcher(config, config.task, workdir, facts.corpus_hash, n_workers, settled) as pool:
            summary = execute(runs, facts, pool, journal, say=say, more=more, choices=choices, limits=limits)
        table.compact(workdir)
        return summary, [row for row in journal.rows() if row["status"] in (*table.SETTLED, "failed")]


def endings(summary: Summary) -> list[str]:
    """What is said at the end: counts, seconds, and how to go on after an interruption."""
    lines = [summary.line()]
    if summary.interrupted:
        left = show.plural(summary.remaining, "run")
        lines.append(f"stopped with {left} to go; the same command goes on from here")
    return lines


def _nothing(grid: Plan) -> str:
    first, sweep = grid.refusals[0], grid.config.sweep
    levels = f"sweep.steps: no shape fits any of {len(sweep.steps)}"
    if not sweep.steps:
        levels = f"sweep.budgets: no shape fits any of {len(sweep.budgets)}"
    return (
        f"{levels}; the first refusal of {len(grid.refusals)}: "
        f"width {first.width} depth {first.depth}, {first.where}: {first.reason}"
    )
