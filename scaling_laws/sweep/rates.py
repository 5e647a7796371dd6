"""Is the learning rate at each budget's best shape an interior minimum? Rates are added until it is.

Pure functions of a plan and of the rows of the runs table. The check is replayed from the first grid row each time, so
it proposes the same runs whatever was interrupted in between.
"""

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from scaling_laws import config
from scaling_laws.sweep.plan import Plan
from scaling_laws.sweep.planned import PlannedRun, planned_run, rate_allowed
from scaling_laws.units import loss_text

FACTOR = 2.0  # the spacing of the rates that the check adds
Row = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class RateReport:
    """The rates tried at a budget's best shape (ascending), one seed's loss at each (inf: diverged or failed)."""

    budget: float
    width: int
    depth: int
    rates: tuple[float, ...]
    losses: tuple[float, ...]
    chosen: float
    interior: bool
    pending: bool  # further runs of the check are still to come


@dataclasses.dataclass(frozen=True)
class _State:
    report: RateReport
    missing: tuple[PlannedRun, ...]


def next_rates(plan: Plan, rows: Iterable[Row]) -> list[PlannedRun]:
    """The runs of purpose `lr_check` to do next; empty when every finished budget is settled.

    A budget whose grid still has runs without a row waits. With one rate tried, half and twice it are proposed; with
    the lowest loss at an edge, one more rate beyond that edge, up to `1 + sweep.lr_max_extensions` on either side.
    """
    return RateCheck(plan).next_rates(rows)


def report(plan: Plan, rows: Iterable[Row]) -> list[RateReport]:
    """Per budget with a complete grid, budgets ascending: what was tried at its best shape and what came out."""
    return [state.report for state in RateCheck(plan).states(rows)]


class RateCheck:
    """The check of one plan while rows come in: it is asked again and again with more of them, none of which changes.

    So a grid that was complete stays so, and so does its best shape, to which the check only adds rates.
    """

    def __init__(self, plan: Plan):
        self._plan = plan
        self._grids: dict[float, list[PlannedRun]] = defaultdict(list)
        for planned in plan.runs:
            if planned.budget is not None:
                self._grids[planned.budget].append(planned)
        self._there = dict.fromkeys(self._grids, 0)  # how many from the first on have a row
        self._best: dict[float, list[PlannedRun]] = {}  # of complete grids

    def next_rates(self, rows: Iterable[Row]) -> list[PlannedRun]:
        """`next_rates` of the plan."""
        if not self._plan.config.sweep.lr_check:
            return []
        return [run for state in self.states(rows) for run in state.missing]

    def states(self, rows: Iterable[Row]) -> list[_State]:
        """Where each budget with a complete grid is, budgets ascending."""
        by_id = {row["run_id"]: row for row in rows}
        best = [self._best_of(budget, by_id) for budget in sorted(self._grids)]
        return [_replay(self._plan, shape, by_id) for shape in best if shape]

    def _best_of(self, budget: float, by_id: Mapping[str, Row]) -> list[PlannedRun]:
        """`_best_shape` of a budget; nothing while its grid is not complete."""
        grid, there = self._grids[budget], self._there[budget]
        while there < len(grid) and grid[there].run_id in by_id:
            there += 1
        self._there[budget] = there
        if there == len(grid) and budget not in self._best:
            self._best[budget] = _best_shape(grid, by_id)
        return self._best.get(budget, [])


def describe(entry: RateReport) -> str:
    """One line of a report."""
    tried = ", ".join(f"{rate:.3g}: {loss_text(loss)}" for rate, loss in zip(entry.rates, entry.losses, strict=True))
    verdict = "interior" if entry.interior else "to be continued" if entry.pending else "AT THE EDGE"
    shape = f"width {entry.width} depth {entry.depth}"
    return f"budget {entry.budget:.3g}: {shape}: learning rate {entry.chosen:.3g} {verdict} ({tried})"


def loss_of(row: Row | None) -> float:
    """The held-out loss of a row; infinite where a run did not finish."""
    if row is None or row["status"] != "finished" or row["loss"] is None:
        return math.inf
    return row["loss"]


def _best_shape(group: list[PlannedRun], by_id: Mapping[str, Row]) -> list[PlannedRun]:
    """The grid runs of the shape with the lowest mean over seeds of the loss at each seed's best rate.

    The check only adds rates at this shape, which can only lower its figure: it stays the best.
    """
    shapes: dict[tuple[int, int], list[PlannedRun]] = defaultdict(list)
    for planned in group:
        shapes[planned.shape].append(planned)
    figures = {shape: _mean_best(runs, by_id) for shape, runs in shapes.items()}
    best = min(figures, key=lambda shape: (figures[shape], shape))
    return shapes[best] if math.isfinite(figures[best]) else []


def _mean_best(runs: list[PlannedRun], by_id: Mapping[str, Row]) -> float:
    best: dict[int, float] = {}
    for planned in runs:
        seed = planned.run.train.seed
        best[seed] = min(best.get(seed, math.inf), loss_of(by_id[planned.run_id]))
    return sum(best.values()) / len(best)


def _replay(plan: Plan, grid: list[PlannedRun], by_id: Mapping[str, Row]) -> _State:
    seed = plan.config.sweep.seeds[0]
    tried = {p.run.optimizer.learning_rate: p for p in grid if p.run.train.seed == seed}
    low, high = min(tried), max(tried)
    reach = 1 + plan.config.sweep.lr_max_extensions
    limits = low / FACTOR**reach, high * FACTOR**reach
    while True:
        losses = {rate: loss_of(by_id.get(planned.run_id)) for rate, planned in tried.items()}
        chosen = min(losses, key=lambda rate: (losses[rate], rate))
        wanted = [_sibling(plan, grid[0], rate) for rate in _beyond(sorted(tried), chosen, limits)]
        missing = tuple(planned for planned in wanted if planned.run_id not in by_id)
        if missing or not wanted:
            return _State(_report(grid[0], losses, chosen, bool(missing) and plan.config.sweep.lr_check), missing)
        tried |= {planned.run.optimizer.learning_rate: planned for planned in wanted}


def _beyond(rates: list[float], chosen: float, limits: tuple[float, float]) -> list[float]:
    """The rates next to `chosen` that lie outside those tried (ascending) but within the limits."""
    wanted = [chosen / FACTOR] if chosen == rates[0] else []
    wanted += [chosen * FACTOR] if chosen == rates[-1] else []
    return [rate for rate in wanted if limits[0] <= rate <= limits[1] and rate_allowed(rate)]


def _sibling(plan: Plan, grid_run: PlannedRun, rate: float) -> PlannedRun:
    base = config.run_part(grid_run.run)
    seed, budget = plan.config.sweep.seeds[0], grid_run.budget
    return planned_run(base, grid_run.counts, plan.facts, plan.pace, budget, "lr_check", rate, seed, "sweep.lr_check")


def _report(grid_run: PlannedRun, losses: Mapping[float, float], chosen: float, pending: bool) -> RateReport:
    rates = tuple(sorted(losses))
    width, depth = grid_run.shape
    assert grid_run.budget is not None, "a grid is made of budgets"
    return RateReport(
        budget=grid_run.budget,
        width=width,
        depth=depth,
        rates=rates,
        losses=tuple(losses[rate] for rate in rates),
        chosen=chosen,
        interior=rates[0] < chosen < rates[-1],
        pending=pending,
    )
