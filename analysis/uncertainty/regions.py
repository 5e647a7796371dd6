"""Joint regions of two quantities: where the profile of the pair stays below its quantile, and the ellipse beside it.

A region holds the pairs whose rise is at most 2 F(2, n - p) (Bates and Watts 1988, equation 6.9; Draper and Smith
1998, section 24.5), with the same kappa as a profile of one quantity.

Dimension letters: M corners of a polygon, G places a side of the grid.
"""

from typing import Any

import numpy as np

from analysis.uncertainty.posed import Posed
from analysis.uncertainty.quantity import Quantity
from analysis.uncertainty.tied import descend, tied
from scaling_laws.config import ConfigError, nearest

KINDS = ("profile", "ellipse")
SIDE = 33
CORNERS = 96
FIRST_REACH, GROWTH = 1.3, 1.6
WIDEST = 64.0  # times the ellipse: a region that is not closed by then is cut there


def joint(
    posed: Posed, pair: tuple[Quantity, Quantity], level: float = 0.9, kind: str = "profile", side: int = SIDE
) -> np.ndarray:
    """(M, 2) closed polygon around the pairs of values in the region, in the quantities' units.

    kind: "profile", the contour of the objective minimised over everything else on a grid of `side` x `side` places,
    or "ellipse", from the sandwich covariance. Raises ConfigError for another kind, a level outside (0, 1), or two
    quantities that the free parameters do not move apart.
    """
    if kind not in KINDS:
        raise ConfigError(f"region: {kind!r}; allowed: {', '.join(KINDS)}{nearest(kind, KINDS)}")
    if not 0 < level < 1:
        raise ConfigError(f"level: {level}; allowed: a share between 0 and 1")
    posed = posed.smooth
    axes = _half_axes(posed, pair)
    middle = np.array([float(q.scaled(posed.theta)) for q in pair])
    radius = np.sqrt(threshold(level, posed.dof))
    polygon = _circle() if kind == "ellipse" else _contour(posed, pair, middle, axes * radius, radius, side)
    scaled = middle + polygon @ (axes * radius).T
    return np.stack([q.from_scale(column) for q, column in zip(pair, scaled.T, strict=True)], axis=1)


def threshold(level: float, dof: int) -> float:
    """2 F: the quantile of twice F with 2 and `dof` degrees of freedom, which has a closed form."""
    return dof * ((1 - level) ** (-2 / dof) - 1)


def _half_axes(posed: Posed, pair: tuple[Quantity, Quantity]) -> np.ndarray:
    """(2, 2) factor L of the pair's covariance L L^T: unit circle -> one standard error."""
    gradients = np.stack([q.gradient(posed.theta[None])[0] for q in pair])
    spread = gradients @ posed.covariance @ gradients.T
    scale = np.sqrt(np.diag(spread))
    if not (scale > 0).all() or abs(spread[0, 1]) > (1 - 1e-9) * scale[0] * scale[1]:
        names = " and ".join(q.name for q in pair)
        raise ConfigError(f"region: {names} do not vary apart; allowed: two quantities that the runs tell apart")
    return np.linalg.cholesky(spread)


def _circle() -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, CORNERS + 1)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _contour(posed: Posed, pair, middle: np.ndarray, axes: np.ndarray, radius: float, side: int) -> np.ndarray:
    """(M, 2) the region's outline in units of the ellipse's axes.

    On a grid that grows until it holds the region, and then once more, drawn in around it.
    """
    low, high, coarse = np.full(2, -FIRST_REACH), np.full(2, FIRST_REACH), side // 2
    while True:
        grid = [np.linspace(*ends, coarse) for ends in zip(low, high, strict=True)]
        inside = _roots(posed, pair, middle, axes, grid) <= radius
        at_low = np.array([inside[:, 0].any(), inside[0].any()])
        at_high = np.array([inside[:, -1].any(), inside[-1].any()])
        if not (at_low | at_high).any() or max(-low.min(), high.max()) > WIDEST:
            break
        low, high = np.where(at_low, GROWTH * low, low), np.where(at_high, GROWTH * high, high)
    drawn_in = [_around(ticks, np.any(inside, axis=axis), side) for axis, ticks in enumerate(grid)]
    return _outline(drawn_in, _roots(posed, pair, middle, axes, drawn_in), radius)


def _around(ticks: np.ndarray, inside: Any, side: int) -> np.ndarray:
    """(side,) places from one tick before the first inside to one after the last."""
    held = np.flatnonzero(inside)
    return np.linspace(ticks[max(held[0] - 1, 0)], ticks[min(held[-1] + 1, len(ticks) - 1)], side)


def _outline(grid: list[np.ndarray], roots: np.ndarray, radius: float) -> np.ndarray:
    """The largest closed contour; a region that leaves the grid is cut at its edge."""
    from contourpy import contour_generator  # a dependency of matplotlib; only regions need it

    walled = np.pad(np.minimum(roots, 2 * radius), 1, constant_values=2 * radius)
    places = [np.concatenate([[2 * x[0] - x[1]], x, [2 * x[-1] - x[-2]]]) for x in grid]
    lines: list[np.ndarray] = [
        np.asarray(line) for line in contour_generator(places[0], places[1], walled).lines(radius)
    ]
    return max(lines, key=_area)


def _area(polygon: np.ndarray) -> float:
    x, y = polygon.T
    return abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))))


def _roots(posed: Posed, pair, middle: np.ndarray, axes: np.ndarray, grid: list[np.ndarray]) -> np.ndarray:
    """(G, G) root of the rise at every place of the grid, the first quantity along the last axis; one batch."""
    task = tied(posed.task, posed.theta, pair)
    assert task is not None
    offsets = np.stack(np.meshgrid(*grid), axis=-1).reshape(-1, 2) @ axes.T
    gradients = np.stack([q.gradient(posed.theta[None])[0] for q in pair])
    spread = gradients @ posed.bread @ gradients.T
    along = posed.bread @ gradients.T @ np.linalg.inv(spread)
    begin = task.contract(posed.theta[None]) + offsets @ along.T
    begin[:, list(task.pivots)] = middle + offsets
    _, found = descend(task, begin, posed.weights_of(len(begin)))
    lowest = float(posed.objective_at(posed.theta[None])[0])
    rise = 2 * (found - lowest) / max(_kappa(posed, gradients, spread), 1e-300)
    return np.sqrt(np.maximum(rise, 0)).reshape(len(grid[1]), -1)


def _kappa(posed: Posed, gradients: np.ndarray, spread: np.ndarray) -> float:
    """One scale for the pair: the mean of those along both (Rotnitzky and Jewell 1990), or that of the objective."""
    if posed.is_plain:
        return posed.scale
    return float(np.trace(np.linalg.solve(spread, gradients @ posed.covariance @ gradients.T)) / 2)
