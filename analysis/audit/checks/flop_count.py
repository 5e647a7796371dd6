"""C that is not 6 N D: whether the ratio drifts with size, so that exponents depend on whose count is read."""

import numpy as np

from analysis.audit import severity
from analysis.audit.case import Case
from analysis.audit.findings import Found, NotChecked, Passed
from analysis.load import Runs

NAME, TITLE = "flop_count", "C and 6 N D drift apart with size"
NEEDS = "column flops beside n_params and tokens"
DRIFT = 1.1  # of C / (6 N D) from the smallest to the largest


def check(case: Case) -> Found | Passed | NotChecked:
    """The range of C / (6 N D), and what of a hangs on it."""
    if any("C = 6 N D" in note or "C / (6" in note for note in case.runs.notes):
        return NotChecked("the table holds only two of n_params, tokens and flops")
    n, d, c = (case.runs[name] for name in ("n_params", "tokens", "flops"))
    ratio = c / (6 * n * d)
    low, high = float(ratio.min()), float(ratio.max())
    if high / low < DRIFT:
        return Passed(f"C / (6 N D) is {low:.3g} to {high:.3g}")
    small = float(np.median(ratio[n <= np.quantile(n, 0.25)]))
    large = float(np.median(ratio[n >= np.quantile(n, 0.75)]))
    return Found(
        evidence=f"C / (6 N D) runs from {low:.3g} to {high:.3g}: {small:.3g} among the smallest quarter of the sizes, "
        f"{large:.3g} among the largest",
        floor=severity.MINOR,
        rows=case.runs.rows,
        mend=_six,
        mended="with C = 6 N D",
        advice="no further run: say which count of C is meant, and give a under each",
        picture="ratio",
    )


def _six(runs: Runs) -> Runs:
    return runs.with_columns(flops=6.0 * runs["n_params"] * runs["tokens"], budget=np.full(len(runs), np.nan))
