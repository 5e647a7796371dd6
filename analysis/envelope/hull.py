"""Approach 1: the lower envelope of the training curves over C, and the size that reaches it.

Hoffmann et al. 2022, section 3.1: about 1500 log-spaced C; at each, the run with the lowest loss; then ln N over ln C
by least squares. Where the envelope belongs to the smallest or the largest size, N* lies beyond the sizes tried: those
points are marked and left out of the line. Which runs are kept moves the exponent (Gemstones, McLeish et al. 2025:
.46 to .80 on the same runs), so it is read again without the smallest and the largest sizes.

Dimension letters: B resamples (or choices of runs), R runs with a curve, G values of C.
"""

import dataclasses
from typing import Any

import numpy as np

from analysis import uncertainty
from analysis.budgets import slope_over
from analysis.lines import lines
from analysis.load import DataError, Runs

POINTS = 1500
DROPPED = 3  # at most so many of the smallest, and of the largest, sizes are left out in turn
LEAST_SIZES = 4  # that stay: two of them are interior
BLOCK = 4_000_000  # resamples times values of C at a time


@dataclasses.dataclass(frozen=True)
class Kept:
    """The exponent without the `smallest` smallest and the `largest` largest sizes."""

    smallest: int
    largest: int
    sizes: int  # that stay
    a: float


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
    kept: tuple[Kept, ...] = ()  # all sizes first

    @property
    def spread(self) -> tuple[float, float] | None:
        """Least and greatest exponent over the sizes kept; None where no choice of them has one."""
        found = [choice.a for choice in self.kept if np.isfinite(choice.a)]
        return (min(found), max(found)) if found else None

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
        found = {name: getattr(self, name) for name in (*names, "spread")}
        kept = [dataclasses.asdict(choice) for choice in self.kept]
        return found | {"kept": kept, "notes": list(self.notes), "points": len(self.flops)}


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
    order = np.argsort(np.where(np.isfinite(table), table, np.inf), axis=0, kind="stable")
    order[~np.isfinite(np.take_along_axis(table, order, axis=0))] = -1  # beyond a curve: nobody
    best = order[0]
    edge = (n[best] == n.min()) | (n[best] == n.max())
    line = _lines(order, n, grid, np.ones((1, len(rows)), dtype=bool))[0]
    a_interval = None
    if bootstrap:
        drawn = uncertainty.resample(uncertainty.units(runs)[rows], bootstrap, seed) > 0
        a_interval = uncertainty.percentile(_lines(order, n, grid, drawn)[:, 1], level)
    names = np.array([runs.run_id(i) for i in rows])
    return Envelope(
        flops=grid,
        loss=np.exp(table[best, np.arange(len(grid))]),
        n_params=n[best],
        tokens=grid * tokens_each[best],
        run_id=names[best],
        edge=edge,
        line=(float(line[0]), float(line[1])),
        a_interval=a_interval,
        level=level,
        name=slope_over(runs.select(np.isin(np.arange(len(runs)), rows), "no curve")),
        notes=_notes(runs, rows, edge),
        kept=_kept(order, n, grid),
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


def _lines(order_RxG: np.ndarray, n_R: np.ndarray, flops_G: np.ndarray, present_BxR: np.ndarray) -> np.ndarray:
    """(B, 2) lines of ln N over ln C along the interior of the envelope of the runs present; NaN without two sizes.

    `order` ranks the runs at each C by their loss, -1 for none: the envelope is the first that is present.
    """
    width = max(1, BLOCK // len(flops_G))
    parts = [present_BxR[i : i + width] for i in range(0, len(present_BxR), width)]
    return np.concatenate([_lines_of(order_RxG, np.log(n_R), np.log(flops_G), part) for part in parts])


def _lines_of(order_RxG: np.ndarray, x_R: np.ndarray, log_c_G: np.ndarray, present_BxR: np.ndarray) -> np.ndarray:
    log_n = np.full((len(present_BxR), len(log_c_G)), np.nan)
    open_BxG = np.ones_like(log_n, dtype=bool)
    for run_G in order_RxG:
        here = open_BxG & (run_G >= 0) & present_BxR[:, run_G]
        log_n[here] = np.broadcast_to(x_R[run_G], log_n.shape)[here]
        open_BxG &= ~here & (run_G >= 0)
        if not open_BxG.any():
            break
    least, most = np.where(present_BxR, x_R, np.inf), np.where(present_BxR, x_R, -np.inf)
    inside = (log_n > least.min(axis=1, keepdims=True)) & (log_n < most.max(axis=1, keepdims=True))
    log_n[~inside] = np.nan
    found = lines(log_c_G, log_n)
    several = np.where(inside, log_n, -np.inf).max(axis=1) > np.where(inside, log_n, np.inf).min(axis=1)
    found[~several] = np.nan
    return found


def _kept(order_RxG: np.ndarray, n_R: np.ndarray, flops_G: np.ndarray) -> tuple[Kept, ...]:
    """The exponent for every number of sizes left out at either end, as long as LEAST_SIZES stay."""
    sizes = np.unique(n_R)
    ends = range(DROPPED + 1)
    choices = [
        (low, high) for low in ends for high in ends if low + high == 0 or len(sizes) - low - high >= LEAST_SIZES
    ]
    stay = [sizes[low : len(sizes) - high] for low, high in choices]
    present = np.array([(n_R >= part[0]) & (n_R <= part[-1]) for part in stay])
    slopes = _lines(order_RxG, n_R, flops_G, present)[:, 1]
    rows = zip(choices, stay, slopes, strict=True)
    return tuple(Kept(low, high, len(part), float(a)) for (low, high), part, a in rows)


def _notes(runs: Runs, rows: np.ndarray, edge: np.ndarray) -> tuple[str, ...]:
    notes = []
    if "schedule" in runs and np.isin(runs["schedule"][rows], ("cosine", "wsd")).any():
        notes.append("approach 1 reads decaying-rate runs before their end, where their loss is still too high")
    if edge.any():
        notes.append(
            f"{edge.mean():.0%} of the envelope belongs to the smallest or largest size and is left out of the line"
        )
    return tuple(notes)
