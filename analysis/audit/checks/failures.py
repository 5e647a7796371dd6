"""Failed runs that left the table silently: what is missing is rarely missing at random."""

import numpy as np

from analysis.audit import severity
from analysis.audit.case import Case
from analysis.audit.findings import Found, NotChecked, Passed
from analysis.audit.proposals import Proposal
from analysis.load import Exclusion, row_list

NAME, TITLE = "failed_runs", "runs missing without a word"
NEEDS = "column status (finished, diverged, ...), or a full grid of N and C"
FULL = 0.8  # share of the grid that is there, from which on its holes are holes


def check(case: Case) -> Found | Passed | NotChecked:
    """Rows without a loss and without a status, and holes in a grid of sizes and budgets that no row explains."""
    lost = [item for item in case.table.excluded if item.reason.startswith("loss is not")]
    holes = _holes(case)
    if lost:
        return _lost(lost, "status" in case.table)
    failed = [item for item in case.table.excluded if item.reason.startswith("status ")]
    if holes and not failed:
        return _missing(case, holes)
    if failed:
        count = sum(map(len, failed))
        return Passed(f"{count} failed runs are in the table and left out of the fit by name")
    if "status" in case.table:
        return Passed("every run is finished, and the grid has no holes")
    return NotChecked(NEEDS)


def _lost(lost: list[Exclusion], has_status: bool) -> Found:
    rows = np.sort(np.concatenate([item.rows for item in lost]))
    said = "though their status is finished" if has_status else "and no status that says why"
    return Found(
        evidence=f"{len(rows)} rows have no usable loss {said} ({row_list(rows)})",
        floor=severity.MINOR,
        rows=rows,
        unmended="they have no loss",
        advice="no further run: give a column status, and the last finite loss of diverged runs",
    )


def _holes(case: Case) -> list[tuple[float, float]]:
    """(N, C) inside a nearly full grid without a run: other budgets have that N, and this budget smaller and larger."""
    held = [(cell.budget, np.exp(np.unique(np.round(cell.sizes, 9)))) for cell in case.cells]
    sizes = np.unique(np.round(np.concatenate([np.log(n) for _, n in held]), 9))
    inside, holes = 0, []
    for budget, n in held:
        near = np.exp(sizes[(sizes > np.log(n[0]) - 1e-9) & (sizes < np.log(n[-1]) + 1e-9)])
        inside += len(near)
        holes += [(float(size), budget) for size in near if np.min(abs(np.log(n / size))) > 1e-6]
    return holes if inside and 1 - len(holes) / inside >= FULL else []


def _missing(case: Case, holes: list[tuple[float, float]]) -> Found:
    named = ", ".join(f"N {n:.3g} at C {c:.3g}" for n, c in holes[:4]) + (" and more" if len(holes) > 4 else "")
    return Found(
        evidence=f"{len(holes)} points inside an otherwise full grid of sizes and budgets have no row: {named}",
        floor=severity.MINOR,
        rows=np.array([], dtype=int),
        unmended="they are not in the table",
        proposals=_cheapest(case, holes),
        advice="or give their rows with a column status",
        picture="plane",
    )


def _cheapest(case: Case, holes: list[tuple[float, float]]) -> tuple[Proposal, ...]:
    return tuple(case.proposal(n, c) for n, c in sorted(holes, key=lambda hole: hole[1])[:3])
