"""Rows read before their learning rate has come down: mid-schedule losses are too high, most for the shortest runs."""

import numpy as np

from analysis.audit import severity
from analysis.audit.case import Case, positive, without
from analysis.audit.findings import Found, NotChecked, Passed
from analysis.load import Runs, row_list

NAME, TITLE = "mid_schedule", "rows read before the end of their schedule"
NEEDS = "column horizon_tokens (where the schedule ends), or steps and steps_done, or schedule and run_id"
ENDED = 0.95  # of the horizon; one that is 25 % too long is known to hurt
STEADY = ("const", "wsd", "none", "inv", "rsqrt")  # beginnings of names: schedules that may be read before their end


def check(case: Case) -> Found | Passed | NotChecked:
    """Fitted rows with fewer tokens than 95 % of their horizon, unless the schedule is a constant one."""
    horizon, source = horizons(case.runs)
    share = case.runs["tokens"] / horizon
    if not np.isfinite(share).any():
        return NotChecked(NEEDS)
    early = (share < ENDED) & ~_steady(case.runs)
    if not early.any():
        return Passed(f"every row that decays is read at the end of its schedule ({source})")
    rows = np.sort(case.runs.rows[early])
    one = np.isfinite(horizon).all() and np.ptp(horizon) <= 1e-6 * horizon.max()
    fixed = f"; one horizon of {horizon[0]:.3g} {case.units.data} for all" if one else ""
    return Found(
        evidence=f"{len(rows)} of {len(case.runs)} fitted rows are read at {np.median(share[early]):.0%} of their "
        f"schedule in the median, {share[early].min():.1%} at the earliest ({source}{fixed}; {row_list(rows)})",
        floor=severity.MID_SCHEDULE * (1.0 if one else max(0.5, float(early.mean()))),
        rows=rows,
        mend=without(rows, "read before the end of its schedule"),
        mended="without the rows read mid-schedule",
        proposals=tuple(
            case.again(place, note="its schedule ending at its D") for place in case.cheapest_near_optimum(3, early)
        ),
        picture="schedule",
    )


def horizons(runs: Runs) -> tuple[np.ndarray, str]:
    """(n,) tokens at which each row's schedule ends, NaN where unknown, and what that was read off."""
    given = positive(runs, "horizon_tokens")
    if np.isfinite(given).any():
        return given, "horizon_tokens"
    planned, done = positive(runs, "steps"), positive(runs, "steps_done")
    if np.isfinite(planned / done).any():
        return runs["tokens"] * planned / done, "steps over steps_done"
    if "schedule" in runs and "run_id" in runs:
        return _longest(runs), "the last row of each run_id, by schedule"
    return np.full(len(runs), np.nan), ""


def _longest(runs: Runs) -> np.ndarray:
    _, which = np.unique(runs["run_id"].astype(str), return_inverse=True)
    longest = np.zeros(which.max() + 1)
    np.maximum.at(longest, which, runs["tokens"].astype(float))
    return longest[which]


def _steady(runs: Runs) -> np.ndarray:
    """(n,) whether a row's schedule, by its name, may be read anywhere."""
    if "schedule" not in runs:
        return np.zeros(len(runs), dtype=bool)
    return np.array([str(name).lower().startswith(STEADY) for name in runs["schedule"]])
