"""The width and depth that come nearest to a wanted number of parameters, by the shapes that a table has.

A text table of this project is counted exactly, by its settings; for any other N is a power of the width between the
table's own widths at each depth.
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from analysis import budgets, shape_counts
from analysis.load import Runs
from analysis.shape_counts import Counter

NEAR = 0.1  # ln N: shapes that come as near as this are told apart by their width over depth
Size = Callable[[int], float]  # N over width


@dataclasses.dataclass(frozen=True)
class Shape:
    """A width and a depth with their N; `exact`: counted, not read between the table's shapes.

    `steps` and `batch_tokens` are of the table's usual batch; None where it does not say.
    """

    width: int
    depth: int
    n_params: float
    exact: bool
    steps: int | None = None
    batch_tokens: int | None = None


def shape_at(runs: Runs, n_params: float, tokens: float) -> Shape | None:
    """The shape nearest to N among multiples of the table's step in width, at the table's depths.

    Of several within 10 % that whose width over depth is nearest to that of the best runs, for a table seldom tells
    more of the aspect. None where the table has no widths and depths, or N is no number.
    """
    names = ("width", "depth", "n_params")
    table_Nx3 = np.stack([runs.numbers(name) for name in names], axis=1)
    if not (len(runs) and np.isfinite(table_Nx3).all() and (table_Nx3 > 0).all() and 0 < n_params < math.inf):
        return None
    counted = shape_counts.counter(runs)
    step = math.gcd(*table_Nx3[:, 0].astype(int).tolist())
    found = []
    for depth in np.unique(table_Nx3[:, 1]).astype(int).tolist():
        size = _sizes(counted, depth) if counted else _powers(table_Nx3[table_Nx3[:, 1] == depth])
        width = _nearest_width(size, step, n_params)
        if width:
            found.append(Shape(width, depth, size(width), counted is not None))
    if not found:
        return None
    aspect = _aspect(runs)

    def far(one: Shape) -> tuple[float, float]:
        miss = abs(math.log(one.n_params / n_params))
        return max(miss, NEAR), abs(math.log(one.width / one.depth / aspect))

    best = min(found, key=far)
    batch = shape_counts.batch_tokens_of(runs)
    return dataclasses.replace(best, batch_tokens=batch, steps=max(1, round(tokens / batch))) if batch else best


def _nearest_width(size: Size, step: int, n_params: float) -> int:
    """The multiple of `step` whose N is nearest in the logarithm; 0 where none can be counted. N rises with width."""
    low, high = 1, max(1, shape_counts.WIDEST // step)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if size(middle * step) < n_params else (low, middle)
    pair = [k * step for k in (max(1, low - 1), low) if size(k * step) > 0]
    return min(pair, key=lambda width: abs(math.log(size(width) / n_params)), default=0)


def _sizes(counter: Counter, depth: int) -> Size:
    """N over width at one depth; 0 where there is no such model."""
    return lambda width: one.n_params if (one := counter(width, depth)) else 0.0


def _powers(table_Nx3: np.ndarray) -> Size:
    """N over width at one depth: a power between neighbours, N as the square of the width beyond the ends."""
    width_W, first = np.unique(table_Nx3[:, 0], return_index=True)
    x, y = np.log(width_W), np.log(table_Nx3[first, 2])

    def size(width: int) -> float:
        at = math.log(width)
        beyond = at - float(np.clip(at, x[0], x[-1]))
        return float(np.exp(np.interp(at, x, y) + 2 * beyond))

    return size


def _aspect(runs: Runs) -> float:
    """Median width over depth of the best run of each budget."""
    labels, levels = budgets.budget_groups(runs)
    best = [np.flatnonzero(labels == k)[runs["loss"][labels == k].argmin()] for k in range(len(levels))]
    return float(np.median(runs.numbers("width")[best] / runs.numbers("depth")[best]))
