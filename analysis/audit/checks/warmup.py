"""A fixed warm-up that is long beside the shortest runs: they are punished for their length, which bends N* over C."""

import numpy as np

from analysis.audit import severity
from analysis.audit.case import Case, without
from analysis.audit.findings import Found, NotChecked, Passed
from analysis.load import row_list

NAME, TITLE = "long_warmup", "fixed warm-up, long beside the shortest runs"
NEEDS = "column warmup_tokens"
LONG = 0.2  # of the tokens
FIXED = 0.01  # relative spread of a warm-up that is one and the same


def check(case: Case) -> Found | Passed | NotChecked:
    """The same warm-up in tokens for all runs and more than a fifth of the tokens of some."""
    data = case.units.data
    warmup = case.runs.numbers("warmup_tokens")
    known = np.isfinite(warmup)
    if not known.any():
        return NotChecked(NEEDS)
    share = warmup / case.runs["tokens"]
    fixed = np.nanmax(warmup) - np.nanmin(warmup) <= FIXED * np.nanmax(warmup)
    long = known & (share > LONG)
    if not long.any():
        return Passed(f"the warm-up takes at most {np.nanmax(share):.0%} of the {data}")
    if not fixed:
        return Passed(f"the warm-up grows with the run; it takes more than {LONG:.0%} of the {data} in {long.sum()}")
    rows = np.sort(case.runs.rows[long])
    inside = int((share[long] >= 1).sum())
    within = f", {inside} of them never leave it" if inside else ""
    return Found(
        evidence=f"a warm-up of {np.nanmax(warmup):.3g} {data} for every run takes more than {LONG:.0%} of the {data} "
        f"of {len(rows)} of {len(case.runs)} runs{within} ({row_list(rows)})",
        floor=severity.WARMUP * min(1.0, 0.5 + float(long.mean())),
        rows=rows,
        mend=without(rows, f"its warm-up takes more than {LONG:.0%} of its {data}"),
        mended=f"without the runs whose warm-up is more than {LONG:.0%} of their {data}",
        proposals=tuple(
            case.again(place, note="warm-up of at most a tenth of D") for place in case.cheapest_near_optimum(3, long)
        ),
        picture="warmup",
    )
