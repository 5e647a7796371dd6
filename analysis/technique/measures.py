"""From the losses of an arm to multipliers of N and D and gains of compute, and what of them is refused.

Dimension letters: R resamples, A cells of the arm.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from analysis.technique import equivalents
from analysis.technique.arms import Losses
from analysis.technique.baseline import Baseline
from analysis.technique.cells import Cell
from analysis.technique.ranges import Reach, reach_along
from analysis.technique.result import NO_INTERVAL, Estimate


class Drawn(NamedTuple):
    """A number a cell (A,), and its redraws (R, A)."""

    point_A: np.ndarray
    draws_RxA: np.ndarray

    def less(self, other: Any) -> "Drawn":
        """The difference from other redraws, or from constants (A,)."""
        point, draws = other if isinstance(other, Drawn) else (other, other)
        with np.errstate(invalid="ignore"):
            return Drawn(self.point_A - point, self.draws_RxA - draws)

    def estimate(self, a: int, level: float) -> Estimate:
        """e to the number in cell a, with its interval."""
        low, high = interval(self.draws_RxA[:, a], level)
        return Estimate(exp(self.point_A[a]), (exp(low), exp(high)))


class Measure(NamedTuple):
    """ln of a quantity in every cell, redrawn, with what is said of each: its multiplier or why it is refused."""

    logs: Drawn
    said_A: tuple[Estimate, ...]


def exp(log: float) -> float:
    """e^x, inf beyond any float."""
    return math.inf if log > math.log(np.finfo(float).max) else math.exp(log)


def interval(draws_R: np.ndarray, level: float) -> tuple[float, float]:
    """The central interval of that level of draws, of which some may be infinite; NaN without draws."""
    draws_R = draws_R[~np.isnan(draws_R)]
    if not len(draws_R):
        return NO_INTERVAL
    low, high = np.quantile(draws_R, [(1 - level) / 2, (1 + level) / 2], method="nearest")
    return float(low), float(high)


def measures(cells: Sequence[Cell], losses: Losses, base: Baseline, level: float) -> dict[str, Measure]:
    """m_n, m_d, ceg and ceg_sunk of every cell."""
    keys = ("n_params", "tokens", "flops", "sunk")
    n, d, c, sunk = (np.array([getattr(cell, key) for cell in cells]) for key in keys)
    sizes, lengths, flops = (np.log(base.column(key)) for key in ("n_params", "tokens", "flops"))
    at_d = [reach_along("N", sizes, "D", lengths, float(at)) for at in np.log(d)]
    at_n = [reach_along("D", lengths, "N", sizes, float(at)) for at in np.log(n)]
    spans = [Reach("C", (float(flops.min()), float(flops.max())), "on the baseline's frontier")] * len(cells)
    needed_n, needed_d = _each(equivalents.log_n, base, losses, d), _each(equivalents.log_d, base, losses, n)
    needed_c = on_frontier(base, Drawn(losses.point_A, losses.draws_RxA))
    gain = needed_c.less(gaps(cells, losses, base))
    return {
        "m_n": _measure(needed_n, needed_n.less(np.log(n)), at_d, level),
        "m_d": _measure(needed_d, needed_d.less(np.log(d)), at_n, level),
        "ceg": _measure(needed_c, gain.less(np.log(c)), spans, level),
        "ceg_sunk": _measure(needed_c, gain.less(np.log(c + sunk)), spans, level),
    }


def on_frontier(base: Baseline, log_losses: Drawn) -> Drawn:
    """ln C0*: the least compute with which the baseline has these losses."""
    point = equivalents.log_c(base.surface, base.compute, log_losses.point_A)
    return Drawn(point, equivalents.log_c(base.samples, base.compute, log_losses.draws_RxA))


def gaps(cells: Sequence[Cell], losses: Losses, base: Baseline) -> Drawn:
    """ln of what the baseline needs on its frontier for its own loss at each place, over the compute spent there.

    The compute is that of the baseline's runs, where there are none the fitted relation's at the arm's N and D.
    """
    own = [cell if k is None else base.cells[k] for cell, k in zip(cells, losses.bases_A, strict=True)]
    n, d, c = (np.array([getattr(cell, key) for cell in own]) for key in ("n_params", "tokens", "flops"))
    alone = np.array([k is None for k in losses.bases_A])
    spent = np.where(alone, base.compute.k * n ** (1 + base.compute.p) * d, c)
    law = Drawn(equivalents.log_loss(base.surface, n, d), equivalents.log_loss(base.samples, n, d))
    return on_frontier(base, law).less(np.log(spent))


def _each(inverse: Callable[..., np.ndarray], base: Baseline, losses: Losses, other_A: np.ndarray) -> Drawn:
    return Drawn(inverse(base.surface, losses.point_A, other_A), inverse(base.samples, losses.draws_RxA, other_A))


def _measure(needed: Drawn, logs: Drawn, reaches: Sequence[Reach], level: float) -> Measure:
    """`logs`, refused where the amount (ln) that the baseline would need lies beyond its reach."""
    said = []
    for a, reach in enumerate(reaches):
        reason = reach.reason(interval(needed.draws_RxA[:, a], level), float(needed.point_A[a]))
        outside = not reach.holds(float(needed.point_A[a]))
        said.append(
            Estimate(reason=reason) if reason else dataclasses.replace(logs.estimate(a, level), outside=outside)
        )
    return Measure(logs, tuple(said))
