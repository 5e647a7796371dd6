"""A law that misses its runs widely: its exponent is an average over what it does not describe."""

import numpy as np

from analysis.audit import estimates, severity
from analysis.audit.case import MISFIT, Case
from analysis.audit.findings import Found, NotChecked, Passed
from analysis.load import row_list

NAME, TITLE = "law_misfit", "the law does not describe the runs"
NEEDS = "a law fitted to the runs"
FAR = 0.05  # of ln loss


def check(case: Case) -> Found | Passed | NotChecked:
    """The typical miss of ln loss against what a law of loss should reach."""
    if case.fit is None:
        return NotChecked(case.no_fit)
    if case.miss <= MISFIT:
        return Passed(f"the law misses ln loss by {case.miss:.2%} typically")
    far = np.abs(case.residuals) > FAR
    rows = np.sort(case.runs.rows[far])
    where = f"; {len(rows)} rows by more than {FAR:.0%}, {row_list(rows)}" if len(rows) else ""
    instead = "; a is read off the budgets' minima" if case.method == estimates.MINIMA else ""
    return Found(
        evidence=f"the law misses ln loss by {case.miss:.1%} typically{where}{instead}",
        floor=severity.MODERATE,
        rows=rows,
        unmended="which rows a law should describe is a choice; --where leaves out those far from their minimum",
        symptom=True,
        advice="no further run: fit the runs near each budget's minimum, or another law",
        picture="residuals",
    )
