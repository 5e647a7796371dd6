"""An irreducible loss that the runs leave open: with it, every forecast."""

from analysis import laws
from analysis.audit import estimates, severity
from analysis.audit.case import Case
from analysis.audit.findings import Effect, Found, NotChecked, Passed
from analysis.fitting import Fit
from analysis.load import DataError
from scaling_laws.config import ConfigError

NAME, TITLE = "floor_unidentified", "E is not identified"
NEEDS = "a law with an irreducible loss"
NEARLY_ZERO = 1e-3  # of the smallest loss: an E held here has vanished
FURTHER = 4.0  # times the largest C: where a run tells a floor from a slope


def check(case: Case) -> Found | Passed | NotChecked:
    """Whether E is at its bound, or there in more than the interval's tail of the resamples."""
    entry = laws.get(case.fit.law) if case.fit is not None else None
    if case.fit is None or entry is None or entry.floor is None:
        return NotChecked(case.no_fit or NEEDS)
    name = entry.coefficient_names[entry.floor]
    if name not in case.fit.unidentified:
        return Passed(f"{name} is {case.fit.coefficients[name]:.4g}{_interval(case.fit, name)}")
    effect, reason = _without(case, name)
    largest = case.ahead / 10 * FURTHER
    return Found(
        evidence=f"{name} is {case.fit.coefficients[name]:.3g}{_interval(case.fit, name)}, and the runs are described "
        "without it as well as the noise lets one tell",
        floor=severity.MODERATE,
        rows=case.runs.rows,
        effect=effect,
        unmended=reason,
        symptom=True,
        proposals=(case.proposal(case.near_optimum(largest), largest),),
    )


def _interval(fit: Fit, name: str) -> str:
    pair = fit.intervals.get(name)
    return "" if pair is None else f", {fit.level:.0%} interval {pair[0]:.3g} to {pair[1]:.3g}"


def _without(case: Case, name: str) -> tuple[Effect | None, str]:
    assert case.fit is not None
    value = NEARLY_ZERO * float(case.runs["loss"].min())
    try:
        before = estimates.by_law(case.fit, case.ahead)
        held = ",".join(filter(None, [case.options.fixed, f"{name}={value!r}"]))
        bare = estimates.fitted(case.runs, case.options, fixed=held)
        return Effect(before, estimates.by_law(bare, case.ahead), f"with {name} held at 0"), ""
    except (DataError, ConfigError) as error:
        return None, str(error)
