"""What was measured at several sizes and seeds, drawn over size: points with bars, the seeds' mean line, its band."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from analysis.figures.chart import Layer
    from analysis.seed_lines import SeedLines

POINTS = 30  # of a line


def layers(name: str, size_K: np.ndarray, value_3xK: np.ndarray, found: "SeedLines", role: str) -> "Iterator[Layer]":
    """`value`: each size's value and the ends of its interval; a band where there are seeds to have one, nothing of the
    line where a seed lacks a value."""
    from analysis.figures.chart import Layer

    middle, low, high = value_3xK
    yield Layer("points", name, size_K, middle, low, high, role=role, mark="dot")
    if not np.isfinite(found.slope):
        return
    grid = np.geomspace(size_K.min(), size_K.max(), POINTS)
    line, *ends = found.at(grid)
    if np.isfinite(ends).all():
        yield Layer("band", name, grid, line, *ends, role=role, legend=False)
    yield Layer("line", f"{name}: size^{found.slope:.2f}", grid, line, role=role)


def known(interval: tuple[float, float]) -> tuple[float, float] | None:
    """None for the interval of one seed."""
    return interval if np.isfinite(interval).all() else None
