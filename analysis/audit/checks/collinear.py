"""N and D that grow together: the loss falls along one line, and what N did cannot be told from what D did."""

import numpy as np

from analysis.audit import severity
from analysis.audit.case import Case
from analysis.audit.findings import Found, NotChecked, Passed
from analysis.audit.proposals import Proposal
from analysis.checks import INFLATED

NAME, TITLE = "collinear", "N and D move together"
NEEDS = "two different N and D at least"
EXACT = 1e-8  # 1 - R^2 of a relation that holds but for rounding
APART = 5.0  # proposed runs: N so many times below and above the line, at the same C
PLACES = (0.0, 0.4, 0.75)  # of the proposed budgets in the range of ln C
EXTREME = 1000.0  # inflation from which on a near relation is as bad as an exact one


def check(case: Case) -> Found | Passed | NotChecked:
    """The squared correlation of ln N and ln D, as the inflation of their coefficients' variances."""
    x, y = np.log(case.runs["n_params"].astype(float)), np.log(case.runs["tokens"].astype(float))
    if np.ptp(x) < 1e-9 or np.ptp(y) < 1e-9:
        return NotChecked(NEEDS)
    left = 1 - np.corrcoef(x, y)[0, 1] ** 2
    slope, intercept = np.polyfit(x, y, 1)
    relation = f"D ≈ {np.exp(intercept):.3g} N^{slope:.3g}" if abs(slope - 1) > 0.02 else _ratio(x, y)
    if left > 1 / INFLATED:
        return Passed(f"N and D vary apart: R^2 of their logs {1 - left:.3g}, variances inflated {1 / left:.2g} times")
    exact = left < EXACT
    inflation = 1 / max(left, 1e-300)
    said = "exactly: nothing tells N from D" if exact else f"R^2 of the logs {1 - left:.5f}: standard errors of the "
    rest = "" if exact else f"exponents are {np.sqrt(inflation):.0f} times those of a design where they vary apart"
    return Found(
        evidence=f"{relation} in all {len(x)} runs, {said}{rest}{_width(case)}",
        floor=severity.NO_EXPONENT if exact else _floor(inflation),
        rows=case.runs.rows,
        unmended="every row lies on the line, so that none can be left out to break it",
        proposals=_apart(case, slope, intercept),
        picture="plane",
    )


def _floor(inflation: float) -> float:
    """From serious at the threshold to no exponent at all, in the log of the inflation."""
    share = np.log(inflation / INFLATED) / np.log(EXTREME / INFLATED)
    return float(severity.SERIOUS + (severity.NO_EXPONENT - severity.SERIOUS) * min(share, 1.0))


def _ratio(x: np.ndarray, y: np.ndarray) -> str:
    return f"D ≈ {np.exp((y - x).mean()):.3g} N"


def _width(case: Case) -> str:
    interval = case.headline.a_interval if case.headline is not None else None
    if interval is None or case.headline is None:
        return ""
    return f"; a {case.headline.a:.3f}, {case.options.level:.0%} interval {interval[0]:.3f} to {interval[1]:.3f}"


def _apart(case: Case, slope: float, intercept: float) -> tuple[Proposal, ...]:
    """Off the line at the same C, N below and above it, at the smallest C and further up in ln C."""
    flops = np.log(case.runs["flops"])
    budgets = np.exp(flops.min() + np.ptp(flops) * np.array(PLACES))
    relation = case.relation
    power = 1 + relation.p + slope  # ln C = ln k + (1 + p) ln N + ln D on the line
    found = []
    for budget in budgets:
        n = float(np.exp((np.log(budget / relation.k) - intercept) / power))
        found += [case.proposal(n * factor, float(budget)) for factor in (1 / APART, APART)]
    return tuple(found)
