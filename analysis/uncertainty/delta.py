"""The delta method: the sandwich covariance over units, carried to each quantity, with Student's t."""

from collections.abc import Mapping

import numpy as np

from analysis.uncertainty import student
from analysis.uncertainty.posed import Posed
from analysis.uncertainty.quantity import Quantity

DRAWS = 2000


def delta(posed: Posed, quantities: Mapping[str, Quantity], level: float) -> dict[str, tuple[float, float]]:
    """Estimate +- t standard errors on each quantity's own scale, so that coefficients stay positive."""
    posed = posed.smooth
    t = student.quantile(level, posed.dof)
    found = {}
    for name, q in quantities.items():
        middle, reach = q.scaled(posed.theta), t * scaled_error(posed, q)
        low, high = (float(q.from_scale(middle + sign * reach)) for sign in (-1, 1))
        found[name] = (low, high)
    return found


def scaled_error(posed: Posed, quantity: Quantity) -> float:
    """Standard error on the quantity's own scale: sqrt(g^T V g) (Oehlert 1992)."""
    gradient = quantity.gradient(posed.theta[None])[0]
    return float(np.sqrt(max(gradient @ posed.covariance @ gradient, 0.0)))


def delta_thetas(posed: Posed, seed: int) -> np.ndarray:
    """(2000, P) draws from the multivariate t with the sandwich covariance; parameters at a bound rest."""
    posed = posed.smooth
    rng = np.random.default_rng(seed)
    values, vectors = np.linalg.eigh(posed.covariance)
    normal = rng.standard_normal((DRAWS, len(values))) @ (vectors * np.sqrt(np.maximum(values, 0))).T
    return posed.theta + normal / np.sqrt(rng.chisquare(posed.dof, DRAWS) / posed.dof)[:, None]
