"""Sensitivity to a choice that is not in the data: the objective of the fit, or the way minima are read."""

import numpy as np

from analysis.audit import estimates
from analysis.audit.case import Case
from analysis.audit.findings import Effect, Estimate, Found, NotChecked, Passed
from analysis.load import DataError
from scaling_laws.config import ConfigError

NAME, TITLE = "objective", "the exponent hangs on how it is read off"
NEEDS = "a table that carries an exponent"
COMPARED = ("huber", "lad", "log_mse", "mse")  # those in use in print
LEAST = 0.02  # of a
OF_INTERVAL = 0.75  # of the half-width of a's interval, below which the choice is within the noise


def check(case: Case) -> Found | Passed | NotChecked:
    """a under every objective, or from Akima's and the parabola's minima where minima carry the headline."""
    if case.headline is None:
        return NotChecked(NEEDS)
    others = _minima(case) if case.method == estimates.MINIMA else _objectives(case)
    if not others:
        return NotChecked(NEEDS)
    values = np.array([case.headline.a, *(other.a for other in others)])
    span = f"a is {values.min():.3f} to {values.max():.3f} over {', '.join(_short(case.headline, others))}"
    furthest = others[int(np.argmax(abs(values[1:] - values[0])))]
    interval = case.headline.a_interval
    half = np.ptp(interval) / 2 if interval is not None and np.isfinite(interval).all() else 0.0
    if abs(furthest.a - case.headline.a) < max(LEAST, OF_INTERVAL * half):
        return Passed(span)
    return Found(
        evidence=span,
        floor=0.0,
        rows=case.runs.rows,
        effect=Effect(case.headline, furthest, f"{furthest.method} instead of {case.headline.method}"),
        symptom=True,
        advice="no further run: give a under each; runs that one objective shuns and another follows are its cause",
    )


def _objectives(case: Case) -> list[Estimate]:
    """The law under every other objective, without intervals."""
    found = []
    for name in COMPARED:
        if name == case.options.objective:
            continue
        try:
            fit = estimates.fitted(case.runs, case.options, objective=name, bootstrap=0, interval="bootstrap")
            found.append(estimates.by_law(fit, case.ahead))
        except (DataError, ConfigError):
            continue  # an objective that these runs do not carry has no estimate to compare
    return found


def _minima(case: Case) -> list[Estimate]:
    """Approach 2 by the other of Akima's interpolation and parabolas."""
    other = "akima" if case.isoflop is not None and case.isoflop.method == "parabola" else "parabola"
    try:
        return [estimates.by_minima(estimates.minima(case.runs, case.options, other, case.fit), case.ahead)]
    except DataError:
        return []


def _short(headline: Estimate, others: list[Estimate]) -> list[str]:
    return [estimate.method.split(", ")[-1] for estimate in (headline, *others)]
