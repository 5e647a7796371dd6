"""Approach 1: the lower envelope of the training curves over C, and the size that reaches it.

Hoffmann et al. 2022, section 3.1: about 1500 log-spaced C; at each, the run with the lowest loss; then ln N over ln C
by least squares. Where the envelope belongs to the smallest or the largest size, N* lies beyond the sizes tried: those
points are marked and left out of the line.
"""

import dataclasses
from typing import Any

import numpy as np

from analysis import uncertainty
from analysis.budgets import slope_over
from analysis.load import DataError, Runs

POINTS = 1500


@dataclasses.dataclass(frozen=True)
class Envelope:
    """The envelope at (points,) values of C, and the line ln N = line[0] + line[1] ln C through its interior."""

    flops: np.ndarray
    loss: np.ndarray
    n_params: np.ndarray
    tokens: np.ndarray
    run_id: np.ndarray
    edge: np.ndarray  # booleans: the smallest or the largest size holds the envelope here
    line: tuple[float, float]
    a_interval: tuple[float, float] | None
    level: float
    name: str
    notes: tuple[str, ...]

    @property
    def a(self) -> float:
        """Exponent of N in C along the envelope."""
        return self.line[1]

    def n_opt(self, flops: Any) -> np.ndarray:
        """N on the line."""
        return np.exp(self.line[0] + self.line[1] * np.log(flops))

    def to_json(self) -> dict[str, Any]:
        """The line without the points."""
        names = ("a", "a_interval", "level", "name", "line")
        return {name: getattr(self, name) for name in names} | {"notes": list(self.notes), "points": len(self.flops)}


def envelope(
    curves: Runs, runs: Runs, points: int = POINTS, bootstrap: int = 0, seed: int = 0, level: float = 0.9
) -> Envelope:
    """Lower envelope of the curves of `runs` (others are ignored); resamples whole runs, or trunks.

    A curve's loss is its validation loss, or the training loss where it was never evaluated.
    Raises DataError with fewer than two runs that have a curve of two points.
    """
    uncertainty.check("bootstrap", bootstrap, level)
    rows, grid, table = _table(curves, runs, points)
    n, tokens_each = runs["n_params"][rows], runs["tokens"][rows] / runs["flops"][rows]
    best, loss = _lowest(table)
    edge = (n[best] == n.min()) | (n[best] == n.max())
    line = _line(grid, n[best], ~edge)
    a_interval = None
    if bootstrap:
        weights = uncertainty.resample(uncertainty.units(runs)[rows], bootstrap, seed)
        slopes = [_line(grid, *_resampled(table, n, row > 0))[1] for row in weights]
        a_interval = uncertainty.percentile(np.array(slopes), level)
    names = np.array([runs.run_id(i) for i in rows])
    return Envelope(
        flops=grid,
        loss=loss,
        n_params=n[best],
        tokens=grid * tokens_each[best],
        run_id=names[best],
        edge=edge,
        line=line,
        a_interval=a_interval,
        level=level,
        name=slope_over(runs.select(np.isin(np.arange(len(runs)), rows), "no curve")),
        notes=_notes(runs, rows, edge),
    )


def _table(curves: Runs, runs: Runs, points: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of `runs` that have a curve, the grid of C, and (rows, grid) ln losses, NaN outside each curve."""
    c, loss = curves["flops"], curve_loss(curves)[1]
    usable = np.isfinite(c) & (c > 0) & np.isfinite(loss) & (loss > 0)
    found: list[tuple[int, np.ndarray, np.ndarray]] = []
    names = curves["run_id"]
    for row in range(len(runs)):
        mine = np.flatnonzero(usable & (names == runs.run_id(row)))
        mine = mine[np.argsort(c[mine], kind="stable")]
        if len(mine) >= 2:
            found.append((row, np.log(c[mine]), np.log(loss[mine])))
    if len(found) < 2:
        raise DataError(f"{curves.source}: {len(found)} of the runs have a curve of two points; allowed: two or more")
    low, high = min(x[0] for _, x, _ in found), max(x[-1] for _, x, _ in found)
    grid = np.linspace(low, high, points)
    table = np.stack([np.interp(grid, x, y, left=np.nan, right=np.nan) for _, x, y in found])
    seen = np.isfinite(table).any(axis=0)
    return np.array([row for row, _, _ in found]), np.exp(grid[seen]), table[:, seen]


def curve_loss(curves: Runs) -> tuple[str, np.ndarray]:
    """Which loss the curve points carry, and its values: validation, or training where no curve was evaluated."""
    loss = curves.numbers("loss")
    evaluated = np.isfinite(loss).any() or "train_loss" not in curves
    return ("validation loss", loss) if evaluated else ("training loss", curves.numbers("train_loss"))


def _lowest(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    filled = np.where(np.isfinite(table), table, np.inf)
    best = filled.argmin(axis=0)
    return best, np.exp(filled[best, np.arange(table.shape[1])])


def _resampled(table: np.ndarray, n: np.ndarray, present: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """N of the envelope of the runs present, and where it is interior to their sizes."""
    sizes = n[present]
    best, loss = _lowest(table[present])
    inside = np.isfinite(loss) & (sizes[best] != sizes.min()) & (sizes[best] != sizes.max())
    return sizes[best], inside


def _line(flops: np.ndarray, n_params: np.ndarray, inside: np.ndarray) -> tuple[float, float]:
    """Intercept and slope of ln N over ln C; NaN without two sizes inside."""
    if len(np.unique(n_params[inside])) < 2:
        return float("nan"), float("nan")
    slope, intercept = np.polyfit(np.log(flops[inside]), np.log(n_params[inside]), 1)
    return float(intercept), float(slope)


def _notes(runs: Runs, rows: np.ndarray, edge: np.ndarray) -> tuple[str, ...]:
    notes = []
    if "schedule" in runs and np.isin(runs["schedule"][rows], ("cosine", "wsd")).any():
        notes.append("approach 1 reads decaying-rate runs before their end, where their loss is still too high")
    if edge.any():
        notes.append(
            f"{edge.mean():.0%} of the envelope belongs to the smallest or largest size and is left out of the line"
        )
    return tuple(notes)
