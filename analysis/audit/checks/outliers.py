"""Single rows that lie far from the law, or that alone move the exponent."""

import numpy as np

from analysis.audit import estimates, severity
from analysis.audit.case import Case, without
from analysis.audit.findings import Found, NotChecked, Passed
from analysis.load import DataError

NAME, TITLE = "outliers", "single rows that move the result"
NEEDS = "a law fitted to the runs"
FAR = 6.0  # typical misses
FEW = 0.1  # of the rows: more than these are no outliers but a law that does not fit
TRIED = 4  # rows left out one at a time


def check(case: Case) -> Found | Passed | NotChecked:
    """Rows six typical misses from the law; the ones furthest off are left out one at a time."""
    if case.fit is None:
        return NotChecked(case.no_fit)
    if case.method != estimates.LAW:
        return NotChecked("a law that describes the runs: beside one that misses them all, no row stands out")
    distance = np.abs(case.residuals) / max(case.miss, 1e-12)
    far = np.flatnonzero((distance > FAR) & (np.abs(case.residuals) > 1e-4))
    if not len(far):
        return Passed(f"no row is further than {distance.max():.2g} typical misses from the law")
    far = far[np.argsort(-distance[far])]
    rows = case.runs.rows[far]
    named = ", ".join(f"{case.runs.run_id(int(i))} ({case.residuals[i]:+.1%})" for i in far[:TRIED])
    return Found(
        evidence=f"{len(far)} of {len(case.runs)} rows lie more than {FAR:g} typical misses ({case.miss:.2%}) from the "
        f"law: {named}{_alone(case, far[:TRIED])}",
        floor=severity.MINOR,
        rows=np.sort(rows),
        mend=without(rows, "far from the law") if len(far) <= FEW * len(case.runs) else None,
        mended=f"without {'it' if len(far) == 1 else 'them'}",
        unmended=f"more than {FEW:.0%} of the rows are no outliers, but a law that does not fit",
        symptom=True,
        proposals=tuple(case.again(int(i), seeds=2) for i in far[np.argsort(case.runs["flops"][far])][:2]),
        picture="residuals",
    )


def _alone(case: Case, far: np.ndarray) -> str:
    """The single row whose absence moves a most."""
    shifts = []
    for i in far:
        try:
            shifts.append((case.effect(without(case.runs.rows[[i]], "left out"), "").a_shift, int(i)))
        except DataError:
            continue  # without this row there is no fit: nothing to compare
    if not shifts:
        return ""
    shift, place = max(shifts, key=lambda pair: abs(pair[0]))
    return f"; {case.runs.run_id(place)} alone moves a by {shift:+.3f}"
