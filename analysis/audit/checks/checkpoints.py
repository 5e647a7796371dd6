"""Several rows of one run treated as independent: their errors are shared, and intervals come out too narrow."""

import dataclasses

import numpy as np

from analysis.audit import estimates, severity
from analysis.audit.case import Case
from analysis.audit.findings import Effect, Found, NotChecked, Passed
from analysis.load import DataError, Runs, row_list
from analysis.uncertainty import units

NAME, TITLE = "checkpoints", "checkpoints counted as independent samples"
NEEDS = "column run_id (or trunk), the same for rows that are checkpoints of one run"


def check(case: Case) -> Found | Passed | NotChecked:
    """Runs of more than one row that the resampling would draw apart."""
    if "run_id" not in case.runs:
        shared = len(np.unique(units(case.runs))) < len(case.runs)
        return Passed("rows of one trunk are resampled together") if shared else NotChecked(NEEDS)
    names = case.runs["run_id"].astype(str)
    different, which, count = np.unique(names, return_inverse=True, return_counts=True)
    several = count[which] > 1
    if not several.any() or _together(case.runs, which):
        return Passed(f"{len(different)} runs in {len(names)} rows; rows of one run, if any, are resampled together")
    rows = np.sort(case.runs.rows[several])
    effect, reason = _effect(case)
    ratio = _ratio(effect)
    wider = f"; drawn by run, a's interval is {ratio:.2g} times as wide" if ratio else ""
    return Found(
        evidence=f"{len(names)} rows are {len(different)} runs: {int((count > 1).sum())} run_ids come several times "
        f"({row_list(rows)}){wider}",
        floor=severity.MODERATE * float(np.clip(ratio or 1.0, 1.0, 3.0)),
        rows=rows,
        effect=effect,
        unmended=reason,
        advice="no further run: --columns=trunk=run_id draws the rows of one run together; or keep its last row alone",
        picture="plane",
    )


def _together(runs: Runs, which: np.ndarray) -> bool:
    """Whether the resampling keeps the rows of each run together already."""
    return len(np.unique(np.stack([which, units(runs)]), axis=1).T) == which.max() + 1


def _effect(case: Case) -> tuple[Effect | None, str]:
    if case.fit is None or not case.options.bootstrap:
        return None, case.no_fit or "no intervals without --bootstrap"
    grouped = case.runs.with_columns(trunk=case.runs["run_id"].astype(str))
    try:
        before = estimates.by_law(case.fit, case.ahead)
        after = estimates.by_law(estimates.fitted(grouped, case.options), case.ahead)
    except DataError as error:
        return None, str(error)
    return Effect(before, dataclasses.replace(after, method=f"{after.method}, by run"), "drawn by run"), ""


def _ratio(effect: Effect | None) -> float:
    """The width of a's interval by run over that by row; 0 where unknown."""
    if effect is None or effect.before.a_interval is None or effect.after.a_interval is None:
        return 0.0
    return float(np.ptp(effect.after.a_interval) / np.ptp(effect.before.a_interval))
