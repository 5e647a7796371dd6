"""The minimum of Akima's interpolation of ln loss over ln N at one budget (Porian et al. 2024, section 3).

Akima's spline runs through the mean loss of every size and does not swing between them, so each budget keeps the shape
its points have. Its minimum is found exactly, segment by segment, for all resamples at once; SciPy's interpolator has
one set of nodes, while resamples that miss a size have their own.

Dimension letters: B resamples (or 1), N runs, U sizes, S segments.
"""

import functools
from typing import Any

import numpy as np

from analysis.isoflop.cells import Cell, Minimum, edge_reason

LEAST_SIZES = 3


def place(log_n: np.ndarray, loss: np.ndarray) -> float:
    """ln N* of the interpolation through (N,) losses at ln N, those of one size averaged; NaN at the edge."""
    sizes, which = np.unique(log_n, return_inverse=True)
    mean = np.bincount(which, loss) / np.bincount(which)
    return float(lowest(sizes[None], np.log(mean)[None])[0][0])


def minimum(cell: Cell, weights_BxN: np.ndarray, noise: float | None, seed: int) -> Minimum:
    """The budget's minimum. Resamples: every size with `noise` (sd of ln loss of one run), else runs by `weights`."""
    log_loss = np.log(cell.mean_by_size(cell.loss))
    log_n, value = (float(part[0]) for part in lowest(cell.sizes[None], log_loss[None]))
    drawing = _noisy(cell, log_loss, noise, len(weights_BxN), seed) if noise else _resampled(cell, weights_BxN)
    drawn, drawn_loss = drawing
    reason = edge_reason(cell, log_n)
    if not reason and len(drawn) and np.isfinite(drawn).mean() < 0.5:
        reason = f"edge: only {np.isfinite(drawn).mean():.0%} of the resamples have an interior minimum"
    curve = functools.partial(_curve, cell.sizes, log_loss)
    return Minimum(log_n, cell.log_d(log_n), value, curve, drawn, cell.log_d(drawn), drawn_loss, reason)


def _noisy(cell: Cell, log_loss: np.ndarray, noise: float, resamples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(B,) ln N* and ln loss."""
    repeats = np.bincount(np.searchsorted(cell.sizes, cell.log_n))
    rng = np.random.default_rng((seed, int(cell.rows[0])))
    shaken = log_loss + noise / np.sqrt(repeats) * rng.standard_normal((resamples, len(log_loss)))
    return lowest(np.broadcast_to(cell.sizes, shaken.shape), shaken)


def _resampled(cell: Cell, weights_BxN: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(B,) ln N* and ln loss through the sizes that each resample drew; resamples with as many sizes go together."""
    which = np.searchsorted(cell.sizes, cell.log_n)
    member = (which[:, None] == np.arange(len(cell.sizes))).astype(float)
    count = weights_BxN @ member
    with np.errstate(invalid="ignore", divide="ignore"):
        log_loss = np.log((weights_BxN * cell.loss) @ member / count)
    sizes = (count > 0).sum(axis=1)
    drawn, heights = np.full((2, len(weights_BxN)), np.nan)
    for u in np.unique(sizes[sizes >= LEAST_SIZES]):
        mine = sizes == u
        kept = count[mine] > 0
        nodes = np.broadcast_to(cell.sizes, kept.shape)[kept].reshape(-1, u)
        drawn[mine], heights[mine] = lowest(nodes, log_loss[mine][kept].reshape(-1, u))
    return drawn, heights


def lowest(x_BxU: np.ndarray, y_BxU: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(B,) place and height of each row's lowest point; NaN where that is the first or the last node."""
    h = np.diff(x_BxU)
    slope, d = np.diff(y_BxU) / h, slopes(x_BxU, y_BxU)
    cubic = (d[:, :-1] + d[:, 1:] - 2 * slope) / h**2  # y + d t + square t^2 + cubic t^3 on each segment
    square = (3 * slope - 2 * d[:, :-1] - d[:, 1:]) / h
    t = np.stack([np.zeros_like(h), *_stationary(3 * cubic, 2 * square, d[:, :-1])])
    t = np.where((t > 0) & (t < h), t, 0.0)  # a turning point beyond the segment is another segment's
    value = y_BxU[:, :-1] + t * (d[:, :-1] + t * (square + t * cubic))
    value_BxP = np.moveaxis(value, 0, -1).reshape(len(h), -1)
    place_BxP = np.moveaxis(x_BxU[:, :-1] + t, 0, -1).reshape(len(h), -1)
    rows, best = np.arange(len(h)), value_BxP.argmin(axis=1)
    place, value = place_BxP[rows, best], value_BxP[rows, best]
    inside = (place > x_BxU[:, 0]) & (value < y_BxU[:, -1])
    return np.where(inside, place, np.nan), np.where(inside, value, np.nan)


def slopes(x_BxU: np.ndarray, y_BxU: np.ndarray) -> np.ndarray:
    """(B, U) derivatives of the interpolation at its nodes (Akima 1970, equation 1), U >= 3.

    Beyond the ends the segments' slopes go on linearly; where four neighbouring slopes pair up equal, the mean.
    """
    m = np.diff(y_BxU) / np.diff(x_BxU)
    first, last = 2 * m[:, :1] - m[:, 1:2], 2 * m[:, -1:] - m[:, -2:-1]
    m = np.concatenate([2 * first - m[:, :1], first, m, last, 2 * last - m[:, -1:]], axis=1)
    change = np.abs(np.diff(m))
    before, after = change[:, :-2], change[:, 2:]
    total = before + after
    flat = total <= 1e-9 * total.max(axis=1, keepdims=True)
    weighted = after * m[:, 1:-2] + before * m[:, 2:-1]
    return np.where(flat, (m[:, 1:-2] + m[:, 2:-1]) / 2, weighted / np.where(flat, 1.0, total))


def _stationary(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both roots of a t^2 + b t + c without cancellation; NaN where there is none."""
    with np.errstate(invalid="ignore", divide="ignore"):
        q = -(b + np.where(b < 0, -1.0, 1.0) * np.sqrt(b**2 - 4 * a * c)) / 2
        return q / a, c / q


def _curve(sizes: np.ndarray, log_loss: np.ndarray, n_params: Any) -> np.ndarray:
    from scipy.interpolate import CubicHermiteSpline

    return np.exp(CubicHermiteSpline(sizes, log_loss, slopes(sizes[None], log_loss[None])[0])(np.log(n_params)))
