"""Over the cells of an arm: pooled multipliers, their slopes over compute, and the shift of the irreducible loss.

Dimension letters: R resamples, A cells of the arm.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from analysis import laws
from analysis.technique.arms import Losses
from analysis.technique.baseline import Baseline
from analysis.technique.cells import Cell
from analysis.technique.measures import Measure, exp, interval
from analysis.technique.result import Estimate, Shift, Slope

CONSTANT = 0.1  # a slope that is less by all its interval: the multiplier moves by less than 1.26 a decade of C
LEAST_CELLS = 3  # for a slope, and for a shift
IDENTIFIED = 10.0  # m_N beside a shift counts as known where its interval spans less than this factor
GROWS, FADES, STEADY, UNTOLD = "grows", "fades", "constant within the interval", "not told"


def pooled(measure: Measure, level: float) -> Estimate:
    """The geometric mean over the cells that are not refused and whose intervals are bounded, weighted by precision."""
    rows, weights = _weights(measure, level)
    if not len(rows):
        whys = dict.fromkeys(one.reason or "its interval has no end" for one in measure.said_A)
        return Estimate(cells=0, reason="; ".join(whys) or "no cell has a loss")
    share = weights / weights.sum()
    low, high = interval(measure.logs.draws_RxA[:, rows] @ share, level)
    outside = any(measure.said_A[a].outside for a in rows)
    return Estimate(exp(float(measure.logs.point_A[rows] @ share)), (exp(low), exp(high)), len(rows), outside=outside)


def slope(measure: Measure, flops_A: np.ndarray, level: float) -> Slope:
    """Slope of the logarithm over ln C through the same cells with the same weights, and what it tells."""
    rows, weights = _weights(measure, level)
    x = np.log(flops_A[rows])
    if len(np.unique(x)) < LEAST_CELLS:
        reason = f"{len(np.unique(x))} of {LEAST_CELLS} amounts of compute needed"
        return Slope(Estimate(cells=len(rows), reason=reason), UNTOLD)
    middle = float(np.average(x, weights=weights))
    x = x - middle
    pull = weights * x / (weights @ x**2)
    with np.errstate(invalid="ignore"):  # a redraw in which a cell has no end tells nothing of the slope
        draws_R = measure.logs.draws_RxA[:, rows] @ pull
    found = Estimate(float(measure.logs.point_A[rows] @ pull), interval(draws_R, level), len(rows))
    low, high = found.interval
    steady = STEADY if low > -CONSTANT and high < CONSTANT else UNTOLD
    return Slope(found, GROWS if low > 0 else FADES if high < 0 else steady, math.exp(middle))


def _weights(measure: Measure, level: float) -> tuple[np.ndarray, np.ndarray]:
    """The cells that count, and their inverse variances; equal without redraws."""
    draws = measure.logs.draws_RxA
    rows = np.array(
        [a for a, one in enumerate(measure.said_A) if not one.reason and (one.bounded or not len(draws))], dtype=int
    )
    if not len(draws):
        return rows, np.ones(len(rows))
    ends = np.array([interval(draws[:, a], level) for a in rows]).reshape(-1, 2)
    sd = np.ptp(ends, axis=1) / 2 / NormalDist().inv_cdf((1 + level) / 2)
    return rows, 1 / np.maximum(sd, 1e-12) ** 2


def shift(cells: Sequence[Cell], losses: Losses, base: Baseline, level: float) -> Shift:
    """L_T = E + dE + A (m N)^-alpha + B D^-beta by least squares in m^-alpha and dE, weighted by the losses' precision.

    The law is the baseline's, redrawn with the losses. Not identified where N hardly varies, or where the interval of
    m, or of dE, has no end or spans too much.
    """
    n, d = (np.array([getattr(cell, key) for cell in cells]) for key in ("n_params", "tokens"))
    if laws.get(base.fit.law).floor is None:
        return Shift(Estimate(reason="no E"), Estimate(reason="no E"), f"law {base.fit.law!r} has no E to shift")
    if len(cells) < LEAST_CELLS or len(np.unique(n)) < 2:
        reason = f"{len(cells)} cells of {len(np.unique(n))} sizes; needed: {LEAST_CELLS} of 2"
        return Shift(Estimate(reason=reason), Estimate(reason=reason), reason)
    weights = _precision(losses)
    m, d_e = _shifted(base.surface, losses.point_A[None], n, d, weights)
    drawn_m, drawn_e = _shifted(base.samples, losses.draws_RxA, n, d, weights)
    (low, high), d_e_interval = interval(drawn_m, level), interval(drawn_e, level)
    found = Estimate(exp(float(m[0])), (exp(low), exp(high)), len(cells))
    moved = Estimate(float(d_e[0]), d_e_interval, len(cells))
    reason = ""
    if not math.isfinite(m[0]) or not (found.bounded and moved.bounded) or high - low > math.log(IDENTIFIED):
        reason = "these cells do not tell a shift of E from a multiplier of N"
    return Shift(found, moved, reason)


def _precision(losses: Losses) -> np.ndarray:
    """(A,) inverse variances of the losses; equal without redraws."""
    if not len(losses.draws_RxA):
        return np.ones(len(losses.point_A))
    spread = np.nanstd(np.exp(losses.draws_RxA), axis=0)
    return 1 / np.maximum(spread, 1e-12) ** 2


def _shifted(
    surface: Mapping[str, Any], log_losses_BxA: np.ndarray, n: np.ndarray, d: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(B,) ln m and dE: the line of what the law with D alone leaves over its term in N."""
    y = np.exp(log_losses_BxA) - surface["E"] - surface["B"] * d ** -surface["beta"]
    x = surface["A"] * n ** -surface["alpha"] + np.zeros_like(y)
    share = weights / weights.sum()
    middle_x, middle_y = x @ share, y @ share
    x, y = x - middle_x[:, None], y - middle_y[:, None]
    slope = (x * y) @ share / ((x * x) @ share)
    with np.errstate(all="ignore"):
        log_m = np.where(slope > 0, -np.log(slope) / np.ravel(surface["alpha"]), np.inf)
    return log_m, middle_y - slope * middle_x
