"""Repeated data treated as fresh: beyond some four epochs another pass teaches less than new tokens would."""

import numpy as np

from analysis.audit import severity
from analysis.audit.case import Case, positive, without
from analysis.audit.findings import Found, NotChecked, Passed
from analysis.load import Runs, row_list

NAME, TITLE = "repeated_data", "repeated data treated as fresh"
NEEDS = "column epochs, or unique_tokens"
MANY = 4.0  # epochs up to which repeated data are nearly as good as fresh (Muennighoff et al. 2023)
ROUNDED = 1.01


def check(case: Case) -> Found | Passed | NotChecked:
    """Fitted rows of more than four epochs, unless the law knows of them."""
    epochs = epochs_of(case.runs)
    if not np.isfinite(epochs).any():
        return NotChecked(NEEDS)
    most = float(np.nanmax(epochs))
    if case.options.law_name == "data_constrained":
        return Passed(f"up to {most:.2g} epochs, which law data_constrained describes")
    many = epochs > MANY * ROUNDED
    if not many.any():
        return Passed(f"at most {max(most, 1.0):.2g} epochs")
    rows = np.sort(case.runs.rows[many])
    advice = "no further run: --law=data_constrained" if "unique_tokens" in case.runs else "give unique_tokens"
    return Found(
        evidence=f"{len(rows)} of {len(epochs)} fitted rows saw their data more than {MANY:g} times, up to "
        f"{most:.3g} ({row_list(rows)})",
        floor=severity.MODERATE * (1 + float(many.mean())),
        rows=rows,
        mend=without(rows, f"more than {MANY:g} epochs"),
        mended=f"without the rows of more than {MANY:g} epochs",
        proposals=tuple(
            case.again(place, note=f"fresh {case.units.data}") for place in case.cheapest_near_optimum(2, many)
        ),
        advice=advice,
        picture="plane",
    )


def epochs_of(runs: Runs) -> np.ndarray:
    """(n,) passes over the data: unique_tokens decides where it is there, else epochs; NaN where unknown."""
    by_tokens = runs["tokens"] / positive(runs, "unique_tokens")
    return np.where(np.isfinite(by_tokens), by_tokens, positive(runs, "epochs"))
