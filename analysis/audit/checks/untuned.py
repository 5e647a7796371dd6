"""Runs in the fit although the same N and D did better at another learning rate: noise that is no noise."""

import numpy as np

from analysis.audit import severity
from analysis.audit.case import Case, positive, without
from analysis.audit.checks.rates import swept_cells
from analysis.audit.findings import Found, NotChecked, Passed
from analysis.load import row_list

NAME, TITLE = "untuned_runs", "runs at a worse learning rate are in the fit"
NEEDS = "column learning_rate"


def check(case: Case) -> Found | Passed | NotChecked:
    """Fitted rows whose (N, D, seed) has a lower loss at another rate."""
    rates = positive(case.runs, "learning_rate")
    if not np.isfinite(rates).any():
        return NotChecked(NEEDS)
    cells = swept_cells(case.runs, rates)
    worse = [np.delete(cell, np.argmin(case.runs["loss"][cell])) for cell in cells]
    if not worse:
        return Passed("of each N and D only the best rate tried is in the fit")
    rows = np.sort(case.runs.rows[np.concatenate(worse)])
    return Found(
        evidence=f"{len(rows)} of {len(case.runs)} fitted rows are at a worse rate than another row of their N and D "
        f"({row_list(rows)})",
        floor=severity.MODERATE,
        rows=rows,
        mend=without(rows, "not the best learning rate"),
        mended="with the best rate of each N and D alone",
        advice="no further run: leave them out, or give the columns width and depth, by which the fit leaves them out",
        picture="plane",
    )
