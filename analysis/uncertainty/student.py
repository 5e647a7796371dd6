"""Student's t without SciPy, whose import costs more than a whole fit."""

import math

import numpy as np

LARGE = 5000  # degrees of freedom from which on t is taken as normal: the quantiles agree within 1e-3


def p_value(t: float, dof: int) -> float:
    """Probability that |T| exceeds t, for whole degrees of freedom. Abramowitz and Stegun 1964, 26.7.3 and 26.7.4."""
    if not t < math.inf:
        return 0.0
    if dof >= LARGE:
        return math.erfc(t / math.sqrt(2))
    angle = math.atan2(t, math.sqrt(dof))
    sine, cosine = math.sin(angle), math.cos(angle)
    first = 3 if dof % 2 else 2
    k = np.arange(first, dof - 1, 2)
    series = 1 + np.cumprod((k - 1) / k * cosine**2).sum()
    if dof % 2 == 0:
        return max(0.0, 1 - sine * float(series))
    inside = angle if dof == 1 else angle + sine * cosine * float(series)
    return max(0.0, 1 - 2 / math.pi * inside)


def quantile(level: float, dof: int) -> float:
    """The t that |T| stays below with probability `level`; its square is the quantile of F with 1 and `dof`."""
    low, high = 0.0, 1.0
    while p_value(high, dof) > 1 - level:
        high *= 2
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if p_value(middle, dof) > 1 - level else (low, middle)
    return high


def mean(values_SxN: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Means over the first axis, and by how far their intervals of this level reach to either side; NaN for one row."""
    n, means = len(values_SxN), values_SxN.mean(axis=0)
    if n < 2:
        return means, np.full(np.shape(means), math.nan)
    return means, quantile(level, n - 1) * values_SxN.std(axis=0, ddof=1) / math.sqrt(n)


def half_width(values: np.ndarray, level: float) -> float:
    """Half of the interval of the mean of (n,) normal values, one a unit; NaN for one of them, or where one is NaN."""
    return float(mean(values, level)[1])
