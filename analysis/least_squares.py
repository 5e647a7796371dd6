"""A straight line by ordinary least squares, with the standard errors of its coefficients, in closed form.

Dimension letters: N rows, P coefficients.
"""

import dataclasses

import numpy as np

from analysis.load import DataError


@dataclasses.dataclass(frozen=True)
class Line:
    """y = intercept + slope x with standard errors; a line through the origin has an intercept of 0, known exactly."""

    intercept: float
    slope: float
    intercept_se: float
    slope_se: float


def line(x_N: np.ndarray, y_N: np.ndarray, intercept: bool = True) -> Line:
    """The line through (x, y): b = (X'X)^-1 X'y, its covariance s^2 (X'X)^-1 with s^2 = |y - X b|^2 / (N - P).

    The usual formulas (Seber and Lee 2003, Linear Regression Analysis, chapter 3). Raises DataError for rows that leave
    nothing over, and for an x that never changes beside an intercept.
    """
    x, y = np.asarray(x_N, float), np.asarray(y_N, float)
    X_NxP = np.stack([np.ones_like(x), x] if intercept else [x], axis=1)
    n, p = X_NxP.shape
    if n <= p or np.linalg.matrix_rank(X_NxP) < p:
        raise DataError(f"line: {n} rows; allowed: more than {p}, with different x beside an intercept")
    gram = X_NxP.T @ X_NxP
    found = np.linalg.solve(gram, X_NxP.T @ y)
    variance = np.sum((y - X_NxP @ found) ** 2) / (n - p)
    errors = np.sqrt(variance * np.diag(np.linalg.inv(gram)))
    both = (found, errors) if intercept else (np.append(0.0, found), np.append(0.0, errors))
    (a, b), (a_se, b_se) = both[0].tolist(), both[1].tolist()
    return Line(a, b, a_se, b_se)
