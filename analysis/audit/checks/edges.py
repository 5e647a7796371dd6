"""IsoFLOP minima at the edge of the sizes tried: N* lies beyond, and a line through such minima follows the grid."""

import numpy as np

from analysis.audit import estimates, severity
from analysis.audit.case import Case
from analysis.audit.findings import Effect, Estimate, Found, NotChecked, Passed
from analysis.audit.proposals import Proposal
from analysis.figures.ticks import write
from analysis.isoflop import interior
from analysis.isoflop.approach import MIN_SIZES
from analysis.isoflop.cells import Cell, lowest_reason
from analysis.load import DataError

NAME, TITLE = "edge_minima", "minima at the edge of the grid"
NEEDS = f"budgets of at least {MIN_SIZES} sizes each: a column budget, or runs that share their C"
STEPS = 2  # sizes proposed beyond an edge
PROPOSED = 3  # budgets, cheapest first


def check(case: Case) -> Found | Passed | NotChecked:
    """Budgets whose lowest measured loss is at their smallest or largest size."""
    cells = [cell for cell in case.cells if len(cell.sizes) >= MIN_SIZES]
    if not cells:
        return NotChecked(NEEDS)
    edge = [cell for cell in cells if lowest_reason(cell)]
    if not edge:
        return Passed(f"the lowest loss of each of {len(cells)} budgets lies inside its sizes")
    named = ", ".join(f"{write(cell.budget)} ({_side(cell)})" for cell in edge)
    effect, reason = _effect(case, cells)
    share = len(edge) / len(cells)
    least = severity.NO_EXPONENT if len(cells) - len(edge) < 2 else severity.SERIOUS * (0.5 + share)
    return Found(
        evidence=f"at {len(edge)} of {len(cells)} budgets the lowest loss is at the end of the sizes tried: {named}",
        floor=least,
        rows=np.sort(np.concatenate([case.runs.rows[cell.rows] for cell in edge])),
        effect=effect,
        unmended=reason,
        proposals=tuple(run for cell in edge[:PROPOSED] for run in _beyond(case, cell)),
        picture="isoflop",
    )


def _side(cell: Cell) -> str:
    return "smallest size" if _smallest(cell) else "largest size"


def _smallest(cell: Cell) -> bool:
    return int(np.argmin(cell.mean_by_size(cell.loss))) == 0


def naive(case: Case, cells: list[Cell]) -> Estimate:
    """The line through every budget's lowest point, at the edge or not."""
    found = {group.budget: group for group in interior(case.isoflop)} if case.isoflop is not None else {}
    points = [_lowest(cell) if lowest_reason(cell) else _inside(found.get(cell.budget), cell) for cell in cells]
    n_opt, losses = np.array(points).T
    runs = sum(len(cell.loss) for cell in cells)
    budgets = np.array([cell.budget for cell in cells])
    return estimates.through(budgets, n_opt, losses, case.ahead, "minima, edges kept", runs)


def _lowest(cell: Cell) -> tuple[float, float]:
    means = cell.mean_by_size(cell.loss)
    lowest = int(np.argmin(means))
    return float(np.exp(cell.sizes[lowest])), float(means[lowest])


def _inside(group, cell: Cell) -> tuple[float, float]:
    return _lowest(cell) if group is None else (group.n_opt, group.loss_opt)


def _effect(case: Case, cells: list[Cell]) -> tuple[Effect | None, str]:
    if case.isoflop is None:
        return None, "no budget has a curve"
    try:
        before = naive(case, cells)
        after = estimates.by_minima(case.isoflop, case.ahead)
    except DataError as error:
        return None, str(error)
    return Effect(before, after, f"the line through {after.runs} runs' interior minima alone"), ""


def _beyond(case: Case, cell: Cell) -> list[Proposal]:
    """Sizes past the edge, a grid step apart; as far as where the other budgets put the minimum."""
    small = _smallest(cell)
    end = float(np.exp(cell.sizes[0 if small else -1]))
    step = max(float(np.exp(np.median(np.diff(cell.sizes)))), 1.5) ** (-1 if small else 1)
    guess = float(case.isoflop.n_opt(cell.budget)) if case.isoflop is not None else np.nan
    reach = np.log(guess / end) / np.log(step) if np.isfinite(guess) and guess > 0 else 0.0
    first = max(1, min(round(reach), 6))
    return [case.proposal(end * step ** (first + k), cell.budget) for k in range(STEPS)]
