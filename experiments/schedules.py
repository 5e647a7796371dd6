"""The runs of a comparison of schedules: cosine runs to each horizon, cooldown branches of one trunk, constant rates.

Cosine runs have the best of several peak rates at each budget; the branches, which share a trunk, the best one at the
middle budget, and the constant rates that of the branches. Rates are chosen by seeds that take no part afterwards; the
runs that chose them lie in a folder of their own in the workdir. What comes of it: `analysis.schedules`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scaling_laws.config import ExperimentConfig, replace

if TYPE_CHECKING:
    from scaling_laws.sweep.plan import Plan
    from scaling_laws.sweep.planned import TaskFacts
    from scaling_laws.sweep.summary import Row, Summary

TUNING = "rates"  # folder, in the workdir, of the runs that chose the rates
TUNING_SEEDS = (100, 101)
FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)  # of the configuration's rate, of which the best is taken
SCHEDULES: Mapping[str, dict[str, Any]] = {
    "cosine": {"optimizer.schedule": "cosine", "optimizer.warmup_steps": 0, "train.average": "none"},
    "wsd": {},
    "constant": {"optimizer.schedule": "constant", "train.average": "window", "train.average_window": 0.2}
    | {"sweep.seeds": (0, 1)},
}
Tuned = tuple[str, float]  # a schedule, and the budget at which its rate is chosen


def train(config: ExperimentConfig, workdir: Path, factors: Sequence[float] = FACTORS) -> "Iterator[Summary]":
    """Do what is left of the study of a `wsd` configuration of one shape: the summary of the runs that choose the
    rates, where several `factors` are tried, and that of the runs that are compared. Raises as `study.train_runs`."""
    from scaling_laws.sweep import study

    facts, budgets = study.facts_of(config), sorted(config.sweep.budgets)
    middle = budgets[len(budgets) // 2]
    tuned: list[Tuned] = [*(("cosine", budget) for budget in budgets), ("wsd", middle)]
    rates = dict.fromkeys(tuned, config.optimizer.learning_rate)
    if len(factors) > 1:
        grids = {key: _planned(_tuning(config, *key, factors), facts) for key in tuned}
        summary, rows = _done(config, facts, grids.values(), workdir / TUNING)
        yield summary
        if summary.interrupted:
            return
        rates = {key: best_rate(key, _of(grid, rows)) for key, grid in grids.items()}
    groups = [("cosine", (budget,), rates["cosine", budget]) for budget in budgets]
    groups += [(name, tuple(budgets), rates["wsd", middle]) for name in ("wsd", "constant")]
    compared = [_planned(_compared(config, *group), facts) for group in groups]
    yield _done(config, facts, compared, workdir)[0]


def best_rate(tuned: Tuned, rows: "Iterable[Row]") -> float:
    """The peak rate with the least mean loss over seeds, said beside the rest. A run gone bad counts as infinite."""
    losses: dict[float, list[float]] = {}
    for row in rows:
        losses.setdefault(row["learning_rate"], []).append(row["loss"] if row["status"] == "finished" else np.inf)
    tried = {rate: float(np.mean(each)) for rate, each in sorted(losses.items())}
    best = min(tried, key=lambda rate: tried[rate])
    edge = ", AT THE EDGE" if best in (min(tried), max(tried)) else ""
    means = ", ".join(f"{rate:.4g}: {loss:.4f}" for rate, loss in tried.items())
    print(f"{tuned[0]} at {tuned[1]:.3g}: peak rate {best:.4g}{edge} ({means})", flush=True)
    return best


def _tuning(config: ExperimentConfig, schedule: str, budget: float, factors: Sequence[float]) -> ExperimentConfig:
    own = {"sweep.budgets": (budget,), "sweep.seeds": TUNING_SEEDS, "sweep.lr_multipliers": tuple(factors)}
    return replace(config, SCHEDULES[schedule] | own)


def _compared(config: ExperimentConfig, schedule: str, budgets: tuple[float, ...], rate: float) -> ExperimentConfig:
    return replace(config, SCHEDULES[schedule] | {"sweep.budgets": budgets, "optimizer.learning_rate": rate})


def _planned(config: ExperimentConfig, facts: "TaskFacts") -> "Plan":
    from scaling_laws.sweep.plan import plan

    return plan(config, facts)


def _done(
    config: ExperimentConfig, facts: "TaskFacts", grids: "Iterable[Plan]", workdir: Path
) -> "tuple[Summary, list[Row]]":
    """All grids as one sweep."""
    from scaling_laws.sweep import machine, study

    runs = tuple(planned for grid in grids for planned in grid.runs)
    summary, rows = study.train_runs(config, facts, runs, workdir, machine.worker_count(config.sweep.workers))
    for line in study.endings(summary):
        print(line, flush=True)
    return summary, rows


def _of(grid: "Plan", rows: "Iterable[Row]") -> "list[Row]":
    wanted = {planned.run_id for planned in grid.runs}
    return [row for row in rows if row["run_id"] in wanted]
