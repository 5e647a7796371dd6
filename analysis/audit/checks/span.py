"""Too short a range of C: what is read off is a local slope, and a forecast from it goes too far."""

import numpy as np

from analysis.audit import severity
from analysis.audit.case import Case
from analysis.audit.findings import Found, NotChecked, Passed
from analysis.audit.proposals import Proposal
from analysis.budgets import BUDGETS, DECADES, RULE, slope_over

NAME, TITLE = "short_range", "too short a range of C"
NEEDS = "C of at least one run"
AROUND = (0.5, 1.0, 2.0)  # sizes of a proposed budget, over the N that is near its optimum


def check(case: Case) -> Found | Passed | NotChecked:
    """Fewer than two decades of C, or fewer than five budgets where budgets are known."""
    flops = case.runs["flops"]
    decades = float(np.log10(flops.max() / flops.min()))
    counted = any(len(cell.sizes) > 1 for cell in case.cells)
    budgets = len(case.cells)
    few = counted and budgets < BUDGETS
    said = f"{decades:.2g} decades of C" + (f" in {budgets} budgets" if counted else "")
    if slope_over(case.runs) == "exponent" and not few:
        return Passed(f"{said}: {RULE}")
    lacking = float(np.clip((DECADES - decades) / DECADES, 0.0, 1.0))
    return Found(
        evidence=f"{said}, where {RULE}: a is a local slope",
        floor=severity.MODERATE + severity.SERIOUS * lacking,
        rows=case.runs.rows,
        unmended="the table holds no wider range",
        proposals=_wider(case, max(DECADES - decades, 0.0)),
        picture="plane",
    )


def _wider(case: Case, decades: float) -> tuple[Proposal, ...]:
    """Downwards, where runs are cheap: three sizes at a smaller C, or between two budgets where only these are few."""
    lowest, highest = float(case.runs["flops"].min()), float(case.runs["flops"].max())
    flops = lowest * 10**-decades if decades else float(np.sqrt(lowest * highest))
    slope = case.headline.a if case.headline is not None and 0.2 < case.headline.a < 0.9 else 0.5
    center = case.near_optimum(lowest) * (flops / lowest) ** slope
    return tuple(case.proposal(center * factor, flops) for factor in AROUND)
