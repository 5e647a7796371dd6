"""The reference that our fit is timed against: SciPy over a grid of starts, then one descent a resample.

Approach 3 of Hoffmann et al. 2022 as replicated by Besiroglu et al. 2024 ("Chinchilla Scaling: A replication attempt"),
written from the formula: minimise the SUM over points of Huber_delta(LSE(a - alpha ln N, b - beta ln D, e) - ln L) with
L-BFGS-B and finite differences from each point of a grid; then BFGS from the best point on every resample.

Dimension letters: N points. Parameters are (a, b, e, alpha, beta).
"""

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import optimize

DELTA = 1e-3
_COEFFICIENTS, _FLOORS, _EXPONENTS = np.arange(0, 26, 5), np.arange(-1, 1.1, 0.5), np.arange(0, 2.1, 0.5)
GRID = np.array(list(itertools.product(_COEFFICIENTS, _COEFFICIENTS, _FLOORS, _EXPONENTS, _EXPONENTS)))  # (4500, 5)
RESAMPLES = 4000


@dataclasses.dataclass(frozen=True)
class Stopping:
    """When SciPy stops: options of L-BFGS-B and of BFGS."""

    search: dict[str, Any]
    resample: dict[str, Any]


# SciPy's own tolerances are absolute for an objective below 1, so that these descents end before the optimum.
STOPPING = {
    "published": Stopping({}, {}),
    "tight": Stopping(
        {"ftol": 1e-15, "gtol": 1e-9, "maxiter": 10_000, "maxfun": 1_000_000}, {"gtol": 1e-9, "maxiter": 10_000}
    ),
}


@dataclasses.dataclass(frozen=True)
class Points:
    """ln N, ln D and ln L, each (n,)."""

    ln_n: np.ndarray
    ln_d: np.ndarray
    ln_loss: np.ndarray

    def drawn(self, counts_N: np.ndarray) -> "Points":
        """The resample that holds point i `counts_N[i]` times."""
        which = np.repeat(np.arange(len(counts_N)), counts_N.astype(int))
        return Points(self.ln_n[which], self.ln_d[which], self.ln_loss[which])


def objective(points: Points) -> Callable[[np.ndarray], float]:
    """The sum of Huber losses as a function of (a, b, e, alpha, beta)."""

    def value(theta: np.ndarray) -> float:
        a, b, e, alpha, beta = theta
        with np.errstate(over="ignore", invalid="ignore"):  # a line search may step far out
            total = np.exp(a - alpha * points.ln_n) + np.exp(b - beta * points.ln_d) + np.exp(e)
            residual = np.abs(np.log(total) - points.ln_loss)
            losses = np.where(residual <= DELTA, 0.5 * residual**2, DELTA * (residual - 0.5 * DELTA))
        return float(losses.sum())

    return value


def search(points: Points, start: np.ndarray, stopping: Stopping) -> tuple[np.ndarray, float]:
    """Where L-BFGS-B with finite differences ends from `start` (5,), and its objective."""
    with np.errstate(invalid="ignore"):
        found = optimize.minimize(objective(points), start, method="L-BFGS-B", options=stopping.search)
    return found.x, float(found.fun)


def refit(points: Points, best: np.ndarray, counts_N: np.ndarray, stopping: Stopping) -> float:
    """The objective where BFGS with finite differences ends on a resample, from the best parameters of all points."""
    with np.errstate(invalid="ignore"):
        found = optimize.minimize(objective(points.drawn(counts_N)), best, method="BFGS", options=stopping.resample)
    return float(found.fun)
