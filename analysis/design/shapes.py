"""Which architectures could be trained next: those of the table's own family, counted exactly where it says how.

Dimension letters: n runs, H shapes.
"""

import functools
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from analysis.design.candidates import Shape
from analysis.frontier import Compute
from analysis.load import Runs

LEVELS = 12  # of N
ASPECT = 0.5  # how much a miss of width / depth counts beside one of N, in logarithms
DEEPER = 2  # times the largest depth of the table


def settings_of(runs: Runs) -> dict[str, Any] | None:
    """Dotted settings of the run with the largest C, every one that belongs to its identity; None without them."""
    from scaling_laws import config

    if "config" not in runs:
        return None
    text = runs["config"][int(np.argmax(runs["flops"]))]
    try:
        given = json.loads(str(text))
    except json.JSONDecodeError:
        return None
    own = [(path, field) for path, field, _ in config.leaves(config.RunConfig())]
    if not isinstance(given, Mapping) or not given:
        return None
    neutral = {path: field.metadata["neutral"] for path, field in own if field.metadata["identity"]}
    return neutral | dict(given)


def shapes_of(runs: Runs, sizes: tuple[float, float], compute: Compute) -> tuple[tuple[Shape, ...], str]:
    """Shapes with N within `sizes`, and a sentence on where they come from.

    Of a table of this project's texts: widths and depths between and beyond those tried, along their width / depth,
    counted from the settings. Of another table with widths: the shapes in it. Else: even levels of ln N and
    C = k N^(1+p) D.
    """
    if {"width", "depth"} <= set(runs.columns):
        counted = _counted(runs)
        if counted is not None and (found := _along(runs, sizes, counted)):
            return found, "shapes counted from the table's own settings"
        return _present(runs), "the shapes of the table"
    even = np.geomspace(*sizes, LEVELS).round()
    shapes = tuple(Shape(float(n), compute.k * float(n) ** compute.p * float(n)) for n in even)
    return shapes, f"even sizes, {compute.note}"


def _counted(runs: Runs) -> Callable[[int, int], Shape | None] | None:
    """(width, depth) -> the shape, or None where there is no such model; None where runs cannot be counted anew."""
    from analysis.load.own_runs import described

    settings = settings_of(runs)
    if settings is None:
        return None

    @functools.cache
    def shape(width: int, depth: int) -> Shape | None:
        row = described(settings | {"model.width": width, "model.depth": depth})
        return Shape(float(row["n_params"]), row["flops"] / row["tokens"], width, depth) if row else None

    best = int(np.argmax(runs["flops"]))
    same = shape(int(runs["width"][best]), int(runs["depth"][best]))
    ours = runs["n_params"][best], runs["flops"][best] / runs["tokens"][best]
    if same is None or not np.allclose((same.n_params, same.flops_per_token), np.array(ours, float), rtol=1e-6):
        return None  # another convention for N or C
    return shape


def _along(runs: Runs, sizes: tuple[float, float], counted: Callable[[int, int], Shape | None]) -> tuple[Shape, ...]:
    """At even levels of ln N the shape nearest in N and in width / depth, which follows the table's over N."""
    widths, depths = np.unique(runs["width"]).astype(int), np.unique(runs["depth"]).astype(int)
    unit = max(int(np.gcd.reduce(widths)), 1)
    shapes = [
        one
        for depth in range(max(int(depths[0]), 1), DEEPER * int(depths[-1]) + 1)
        for width in _multiples(unit, counted, depth, sizes)
        if (one := counted(width, depth)) is not None
    ]
    log_n = np.log(runs["n_params"].astype(float))
    order = np.argsort(log_n)
    aspects = np.log(runs["width"] / np.maximum(runs["depth"], 1))[order]
    chosen = set()
    for level in np.log(np.geomspace(*sizes, LEVELS)).tolist():
        aspect = float(np.interp(level, log_n[order], aspects))
        misses = [
            abs(math.log(one.n_params) - level) + ASPECT * abs(math.log(one.width / one.depth) - aspect)
            for one in shapes
        ]
        if misses:
            chosen.add(shapes[int(np.argmin(misses))])
    return tuple(sorted(chosen, key=lambda one: one.n_params))


def _multiples(unit: int, counted: Callable[[int, int], Shape | None], depth: int, sizes: tuple[float, float]):
    """Widths in about eighths of an octave whose N at this depth is within `sizes`."""
    width = unit
    while True:
        one = counted(width, depth)
        if one is not None and one.n_params > sizes[1] * 1.1:
            return
        if one is not None and one.n_params >= sizes[0] * 0.9:
            yield width
        width += unit * max(1, int(width / (8 * unit)))
        if width > 65536:
            return


def _present(runs: Runs) -> tuple[Shape, ...]:
    """Each shape of the table once, with its FLOPs a token."""
    columns = (runs["n_params"], runs["flops"] / runs["tokens"], runs["width"], runs["depth"])
    found: dict[tuple[int, int], Shape] = {}
    for n_params, flops, width, depth in zip(*(column.tolist() for column in columns), strict=True):
        found.setdefault((int(width), int(depth)), Shape(float(n_params), float(flops), int(width), int(depth)))
    return tuple(sorted(found.values(), key=lambda one: one.n_params))


def batch_tokens_of(runs: Runs) -> int:
    """Tokens of a step, the commonest of the table; 0 where it does not say."""
    if "steps" not in runs or runs["steps"].dtype.kind not in "iuf":
        return 0
    with np.errstate(all="ignore"):
        each = np.rint(runs["tokens"] / runs["steps"])
    each = each[np.isfinite(each) & (each >= 1)]
    if not len(each):
        return 0
    values, counts = np.unique(each, return_counts=True)
    return int(values[np.argmax(counts)])
