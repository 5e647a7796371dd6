"""The width and depth that come nearest to a wanted number of parameters, by the shapes that a table has.

A text table of this project is counted exactly, by its family; for any other N is a power of the width between the
table's own widths at each depth.
"""

import dataclasses
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from analysis import budgets
from analysis.load import Runs
from scaling_laws.config import ConfigError

NEAR = 0.1  # ln N: shapes that come as near as this are told apart by their width over depth
MOST = 10_000  # widths tried at a depth
Count = Callable[[int, int], float]


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
    batch_tokens: float | None = None


def shape_at(runs: Runs, n_params: float, tokens: float) -> Shape | None:
    """The shape nearest to N among multiples of the table's step in width, at the table's depths.

    Of several within 10 % that whose width over depth is nearest to that of the best runs, for a table seldom tells
    more of the aspect. None where the table has no widths and depths, or N is no number.
    """
    names = ("width", "depth", "n_params")
    table_Nx3 = np.stack([runs.numbers(name) for name in names], axis=1)
    if not (len(runs) and np.isfinite(table_Nx3).all() and (table_Nx3 > 0).all() and 0 < n_params < math.inf):
        return None
    counted = _counted(runs)
    step = math.gcd(*table_Nx3[:, 0].astype(int).tolist())
    found = []
    for depth in np.unique(table_Nx3[:, 1]).astype(int).tolist():
        count = counted or _powers(table_Nx3[table_Nx3[:, 1] == depth])
        width = _nearest_width(count, depth, step, n_params)
        if width:
            found.append(Shape(width, depth, float(count(width, depth)), counted is not None))
    if not found:
        return None
    aspect = _aspect(runs)

    def far(one: Shape) -> tuple[float, float]:
        miss = abs(math.log(one.n_params / n_params))
        return max(miss, NEAR), abs(math.log(one.width / one.depth / aspect))

    best = min(found, key=far)
    batch = _batch_tokens(runs)
    return dataclasses.replace(best, batch_tokens=batch, steps=max(1, round(tokens / batch)) if batch else None)


def _nearest_width(count: Count, depth: int, step: int, n_params: float) -> int:
    """The multiple of `step` whose N is nearest in the logarithm; 0 where none can be counted. N rises with width."""
    low, high = 1, MOST
    try:
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if count(middle * step, depth) < n_params else (low, middle)
        pair = [k * step for k in (max(1, low - 1), low)]
        return min(pair, key=lambda width: abs(math.log(count(width, depth) / n_params)))
    except ConfigError:
        return 0


def _powers(table_Nx3: np.ndarray) -> Count:
    """N over width at one depth: a power between neighbours, N as the square of the width beyond the ends."""
    width_W, first = np.unique(table_Nx3[:, 0], return_index=True)
    x, y = np.log(width_W), np.log(table_Nx3[first, 2])

    def count(width: int, depth: int) -> float:
        at = math.log(width)
        beyond = at - float(np.clip(at, x[0], x[-1]))
        return float(np.exp(np.interp(at, x, y) + 2 * beyond))

    return count


def _counted(runs: Runs) -> Count | None:
    """N by the family's own count, where that gives every row's N back; None for another table."""
    if not {"config", "task", "vocab_size", "context"} <= set(runs.columns) or set(runs["task"].tolist()) != {"text"}:
        return None
    from scaling_laws import config, families, spec

    def count(row: int) -> Count:
        settings = json.loads(str(runs["config"][row]))
        run = config.replace(config.RunConfig(), settings)
        form = spec.text(int(runs["vocab_size"][row]), int(runs["context"][row]))

        def of(width: int, depth: int) -> float:
            model = dataclasses.replace(run.model, width=width, depth=depth)
            families.check(model)
            return families.count(model, form).n_params

        return of

    try:
        pairs: dict[tuple[Any, ...], int] = {}
        for row, key in enumerate(zip(runs["width"].tolist(), runs["depth"].tolist(), strict=True)):
            pairs.setdefault(key, row)
        for (width, depth), row in pairs.items():
            if count(row)(int(width), int(depth)) != runs["n_params"][row]:
                return None
        return count(0)
    except (ConfigError, ValueError, TypeError, KeyError):  # settings of another version or another program
        return None


def _aspect(runs: Runs) -> float:
    """Median width over depth of the best run of each budget."""
    labels, levels = budgets.budget_groups(runs)
    best = [np.flatnonzero(labels == k)[runs["loss"][labels == k].argmin()] for k in range(len(levels))]
    return float(np.median(runs.numbers("width")[best] / runs.numbers("depth")[best]))


def _batch_tokens(runs: Runs) -> float | None:
    """The commonest number of tokens a step; None where the table has no batch size."""
    each = runs.numbers("batch_size") * (runs.numbers("context") if "context" in runs else 1)
    each = each[np.isfinite(each) & (each > 0)]
    values, times = np.unique(each, return_counts=True)
    return float(values[times.argmax()]) if len(values) else None
