"""Refits of resampled units, and the intervals read off them: percentile, and BCa.

Dimension letters: R resamples, U units, N points, P parameters.
"""

from collections.abc import Mapping
from statistics import NormalDist

import numpy as np

from analysis import solver
from analysis.uncertainty.posed import Posed
from analysis.uncertainty.quantity import Quantity
from analysis.uncertainty.resampling import resample

JACKKNIFED = 2000  # units beyond which leaving one out is taken to first order


def bootstrap_thetas(posed: Posed, resamples: int, seed: int) -> np.ndarray:
    """(R, P) optima of the resampled objective, all in one batch from the optimum of the data."""
    return refit(posed, resample(posed.units_N, resamples, seed))


def jackknife_thetas(posed: Posed) -> np.ndarray:
    """(U, P) optima with one unit left out each; beyond 2000 units to first order (Efron 1987, section 7)."""
    if posed.n_units > JACKKNIFED:
        return posed.theta + posed.smooth.influence
    return refit(posed, (posed.unit_of != np.arange(posed.n_units)[:, None]).astype(float))


def refit(posed: Posed, counts_RxN: np.ndarray) -> np.ndarray:
    """(R, P) optima where each run counts so many times."""
    weights = counts_RxN if posed.weights_N is None else counts_RxN * posed.weights_N
    return solver.descend(posed.task, np.repeat(posed.theta[None], len(weights), axis=0), weights)[0]


def bca(
    posed: Posed, quantities: Mapping[str, Quantity], thetas_RxP: np.ndarray, level: float
) -> dict[str, tuple[float, float]]:
    """Bias-corrected and accelerated intervals (Efron and Tibshirani 1993, equation 14.10) of every quantity."""
    left_out = jackknife_thetas(posed)
    return {
        name: bca_interval(float(q.of(posed.theta)), q.of(thetas_RxP), q.of(left_out), level)
        for name, q in quantities.items()
    }


def bca_interval(point: float, samples_R: np.ndarray, left_out_U: np.ndarray, level: float) -> tuple[float, float]:
    """The interval of one number; NaN without finite samples.

    The bias correction counts ties as half and is kept finite where all samples lie on one side.
    """
    samples = samples_R[np.isfinite(samples_R)]
    if not len(samples):
        return float("nan"), float("nan")
    normal = NormalDist()
    below = np.mean(samples < point) + 0.5 * np.mean(samples == point)
    least = 0.5 / len(samples)
    bias, accelerated = normal.inv_cdf(float(np.clip(below, least, 1 - least))), acceleration(left_out_U)

    def share(z: float) -> float:
        stretch = 1 - accelerated * (bias + z)
        return normal.cdf(bias + (bias + z) / stretch) if stretch > 0 else float(z > 0)

    ends = [share(normal.inv_cdf(0.5 * (1 + sign * level))) for sign in (-1, 1)]
    low, high = np.quantile(samples, ends)
    return float(low), float(high)


def acceleration(left_out_U: np.ndarray) -> float:
    """A sixth of the skewness of the jackknife (Efron and Tibshirani 1993, equation 14.15)."""
    gap = left_out_U[np.isfinite(left_out_U)]
    gap = gap.mean() - gap if len(gap) else gap
    squares = float((gap**2).sum())
    return float((gap**3).sum() / (6 * squares**1.5)) if squares > 0 else 0.0
