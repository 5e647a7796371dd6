"""Where a search starts: exponents on a grid, coefficients by non-negative least squares (variable projection).

Golub and Pereyra 1973: for fixed exponents the coefficients are a linear problem. Dimension letters: G starts, N
points, K terms, P parameters, Q parameters that are not coefficients.
"""

import itertools

import numpy as np

from analysis.laws import Design, Law

MAX_STARTS = 500
MAX_CURVED = 128  # where every evaluation carries the derivatives of shapes
GRID_DIMENSIONS = 3  # beyond these a grid has too few values an axis: an even sequence instead


def starts(points: Design, y_N: np.ndarray) -> np.ndarray:
    """(G, P) starts: values of every parameter but the coefficients, which are projected out."""
    limit = MAX_CURVED if points.is_curved else MAX_STARTS
    exponents = combinations(axes(points.law, points.inputs), limit)
    return project(points, y_N, exponents)


def axes(law: Law, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Candidate values, one array per parameter that is not a coefficient."""
    shaped = [np.asarray(p.grid(inputs) if callable(p.grid) else p.grid, dtype=float) for p in law.shaped]
    outer = [np.asarray(law.outer_grid)] if law.outer else []
    return [np.asarray(law.exponent_grid)] * len(law.exponent_names) + shaped + outer


def combinations(axes_Q: list[np.ndarray], limit: int) -> np.ndarray:
    """(G, Q) combinations: the whole grid, thinned evenly to `limit`, or an even sequence in many dimensions."""
    if not axes_Q:
        return np.zeros((1, 0))
    if len(axes_Q) <= GRID_DIMENSIONS:
        per_axis = max(2, int(limit ** (1 / len(axes_Q)) + 1e-9))
        thinned = [axis[_spread(len(axis), per_axis)] for axis in axes_Q]
        return np.array(list(itertools.product(*thinned)))
    shares = _even_sequence(limit, len(axes_Q))
    columns = [np.interp(u * (len(x) - 1), np.arange(len(x)), x) for u, x in zip(shares.T, axes_Q, strict=True)]
    return np.stack(columns, axis=1)


def _spread(length: int, count: int) -> np.ndarray:
    return np.linspace(0, length - 1, min(length, count)).round().astype(int)


def _even_sequence(count: int, dimensions: int) -> np.ndarray:
    """(count, dimensions) in the unit cube, additive recurrence with the generalised golden ratio (Roberts 2018)."""
    ratio = 2.0
    for _ in range(60):
        ratio = (1 + ratio) ** (1 / (dimensions + 1))
    return (0.5 + np.outer(np.arange(count), ratio ** -np.arange(1.0, dimensions + 1))) % 1


def project(points: Design, y_N: np.ndarray, exponents_GxQ: np.ndarray) -> np.ndarray:
    """(G, P): for each row of exponents the non-negative coefficients of least relative squared error."""
    n_terms = len(points.law.terms)
    theta = np.concatenate([np.zeros((len(exponents_GxQ), n_terms)), exponents_GxQ], axis=1)
    target = y_N / exponents_GxQ[:, -1:] if points.law.outer else np.broadcast_to(y_N, (len(theta), len(y_N)))
    with np.errstate(all="ignore"):
        relative_GxNxK = np.exp(np.moveaxis(points.log_terms(theta), 0, -1) - target[:, :, None])
    sound_G = np.asarray(np.isfinite(relative_GxNxK).all(axis=(1, 2)))[:, None, None]
    coefficients = nonnegative(np.where(sound_G, relative_GxNxK, 1.0))
    floor = 1e-3 * np.exp(np.median(target, axis=1, keepdims=True)) / n_terms
    theta[:, :n_terms] = np.log(np.maximum(coefficients, floor))
    return theta


def nonnegative(x_GxNxK: np.ndarray) -> np.ndarray:
    """(G, K) of min ||x c - 1|| over c >= 0, exactly: every subset of the K columns is tried."""
    gram = np.matmul(x_GxNxK.transpose(0, 2, 1), x_GxNxK)
    moment = x_GxNxK.sum(axis=1)
    best, gain = np.zeros(moment.shape), np.zeros(len(moment))
    n_terms = moment.shape[1]
    for size in range(1, n_terms + 1):
        for subset in map(list, itertools.combinations(range(n_terms), size)):
            block = gram[:, subset][:, :, subset]
            ridge = 1e-12 * np.trace(block, axis1=1, axis2=2)[:, None, None] * np.eye(size)
            part = np.linalg.solve(block + ridge, moment[:, subset][:, :, None])[:, :, 0]
            gained = (part * moment[:, subset]).sum(axis=1)
            wins = (part >= 0).all(axis=1) & (gained > gain)
            gain[wins] = gained[wins]
            best[wins] = 0
            best[np.ix_(wins, subset)] = part[wins]
    return best
