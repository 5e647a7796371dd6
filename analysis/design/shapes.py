"""Which architectures could be trained next: those of the table's own family, counted exactly where it says how.

Dimension letters: n runs, H shapes.
"""

import math
from collections.abc import Iterator

import numpy as np

from analysis import shape_counts
from analysis.design.candidates import Shape
from analysis.frontier import Compute
from analysis.load import Runs
from analysis.shape_counts import Counter

LEVELS = 12  # of N
ASPECT = 0.5  # how much a miss of width / depth counts beside one of N, in logarithms
DEEPER = 2  # times the largest depth of the table


def shapes_of(runs: Runs, sizes: tuple[float, float], compute: Compute) -> tuple[tuple[Shape, ...], str]:
    """Shapes with N within `sizes`, and a sentence on where they come from.

    Of a table of this project's texts: widths and depths between and beyond those tried, along their width / depth,
    counted from the settings. Of another table with widths: the shapes in it. Else: even levels of ln N and
    C = k N^(1+p) D.
    """
    if {"width", "depth"} <= set(runs.columns):
        count = shape_counts.counter(runs, compute=True)
        if count is not None and (found := _along(runs, sizes, count)):
            return found, "shapes counted from the table's own settings"
        return _present(runs), "the shapes of the table"
    even = np.geomspace(*sizes, LEVELS).round()
    shapes = tuple(Shape(float(n), compute.k * float(n) ** compute.p * float(n)) for n in even)
    return shapes, f"even sizes, {compute.note}"


def _along(runs: Runs, sizes: tuple[float, float], count: Counter) -> tuple[Shape, ...]:
    """At even levels of ln N the shape nearest in N and in width / depth, which follows the table's over N."""
    widths, depths = np.unique(runs["width"]).astype(int), np.unique(runs["depth"]).astype(int)
    unit = max(int(np.gcd.reduce(widths)), 1)
    shapes = [
        shape
        for depth in range(max(int(depths[0]), 1), DEEPER * int(depths[-1]) + 1)
        for shape in _multiples(unit, count, depth, sizes)
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


def _multiples(unit: int, count: Counter, depth: int, sizes: tuple[float, float]) -> Iterator[Shape]:
    """Shapes of this depth, widths about an eighth of an octave apart, whose N is within `sizes`."""
    width = unit
    while width <= shape_counts.WIDEST:
        one = count(width, depth)
        if one is not None and one.n_params > sizes[1] * 1.1:
            return
        if one is not None and one.n_params >= sizes[0] * 0.9:
            yield Shape(*one, width, depth)
        width += unit * max(1, int(width / (8 * unit)))


def _present(runs: Runs) -> tuple[Shape, ...]:
    """Each shape of the table once, with its FLOPs a token."""
    columns = (runs["n_params"], runs["flops"] / runs["tokens"], runs["width"], runs["depth"])
    found: dict[tuple[int, int], Shape] = {}
    for n_params, flops, width, depth in zip(*(column.tolist() for column in columns), strict=True):
        found.setdefault((int(width), int(depth)), Shape(float(n_params), float(flops), int(width), int(depth)))
    return tuple(sorted(found.values(), key=lambda one: one.n_params))
