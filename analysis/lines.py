"""Straight lines by least squares, many at once: what turns minima into an exponent.

Dimension letters: B lines, K points.
"""

from typing import Any

import numpy as np

from analysis.load import DataError


def lines(x_K: np.ndarray, y_BxK: np.ndarray, weights_BxK: np.ndarray | None = None) -> np.ndarray:
    """(B, 2) intercepts and slopes of y over x through the finite y; NaN with fewer than two different x.

    `weights` multiply squared residuals: 1 / variance for points of unequal precision; they broadcast against y.
    """
    weights = np.where(np.isfinite(y_BxK), 1.0 if weights_BxK is None else weights_BxK, 0.0)
    y, x = np.where(weights > 0, y_BxK, 0.0), np.broadcast_to(x_K, y_BxK.shape)
    total = weights.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        x_mean, y_mean = ((weights * z).sum(axis=1, keepdims=True) / total for z in (x, y))
        dx = weights * (x - x_mean)
        slope = (dx * y).sum(axis=1) / (dx * (x - x_mean)).sum(axis=1)
    first = np.where(weights > 0, x, np.inf).min(axis=1, keepdims=True, initial=np.inf)
    several = ((weights > 0) & (x > first)).any(axis=1)  # two different x, whatever rounding makes of their variance
    slope = np.where(several, slope, np.nan)
    return np.stack([y_mean[:, 0] - slope * x_mean[:, 0], slope], axis=1)


def frontier_line(flops: Any, n_opt: Any, weights: Any = None) -> tuple[float, float]:
    """(intercept, slope) of ln N* over ln C by least squares; the slope is the exponent a of N* ~ C^a.

    flops, n_opt: (K,) compute in FLOPs and the optimal size of each budget; a NaN in `n_opt` is left out.
    weights: (K,) factors of the squared residuals, 1 / (standard deviation of ln N*)^2 in Porian et al. 2024.
    Raises DataError with fewer than two different C, or for a value that is not positive.
    """
    c, n = np.asarray(flops, dtype=float), np.asarray(n_opt, dtype=float)
    if not ((c > 0).all() and (n[np.isfinite(n)] > 0).all()):
        raise DataError("frontier line: a C or an N* is not a positive number; allowed: FLOPs and parameter counts")
    found = lines(np.log(c), np.log(n)[None], None if weights is None else np.asarray(weights, dtype=float)[None])[0]
    if not np.isfinite(found).all():
        raise DataError(f"frontier line: {np.isfinite(n).sum()} budgets; allowed: two different C or more")
    return float(found[0]), float(found[1])
