"""What a figure shows, free of how it is drawn: panels of layers of numbers.

One `Drawing` feeds three writers: the CSV beside a figure, the PNG and SVG (analysis/figures/static.py) and the
interactive page (analysis/report.py). So the three cannot disagree about a number.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from analysis.figures import ticks

CSV_COLUMNS = ("panel", "layer", "kind", "x", "y", "low", "high", "value", "run_id", "label")
DECADE = 10.0  # losses that span more than such a factor stand on a logarithmic axis
JOINT = " + "  # between the run ids of a point that stands for several runs


class NothingToDraw(ValueError):
    """The study lacks what this figure shows; the message says what is missing."""


@dataclasses.dataclass(frozen=True)
class Axis:
    """One axis. `categories` (heat maps, spans) names the places 0, 1, 2, ..; `si` writes 20k instead of 2·10⁴."""

    label: str
    log: bool = True
    si: bool = False
    categories: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Layer:
    """Numbers drawn in one manner. All arrays have shape (n,).

    kind: "line" and "points" at (x, y); "band" between low and high at x; "cells" of a heat map at (x, y); "spans":
        points at (x, y) whose bars run along x.
    low, high: limits of a band, or of the error bars of points; infinite where a bar has no end.
    value: position on the drawing's colour scale; without it the `role` decides the colour.
    mark: of a line "solid", "dashed", "thin"; of points "dot", "hollow", "star", "warning" (open square), "forecast",
        "bar" (error bars alone); of cells "best" (an outline).
    frames: whether the layer widens the axes; lines that merely run through the picture do not.
    """

    kind: str
    name: str
    x: np.ndarray
    y: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    value: np.ndarray | None = None
    role: str = "ink"
    mark: str = "solid"
    run_ids: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    legend: bool = True
    frames: bool = True


@dataclasses.dataclass(frozen=True)
class Panel:
    """One set of axes."""

    x: Axis
    y: Axis
    layers: tuple[Layer, ...]
    title: str = ""

    def limits(self, direction: str) -> tuple[float, float]:
        """Ends of the x or y axis in data units, with a margin."""
        axis: Axis = getattr(self, direction)
        if axis.categories:
            return -0.5, len(axis.categories) - 0.5
        layers = [layer for layer in self.layers if layer.frames] or self.layers
        return ticks.padded(np.concatenate([_extent(layer, direction) for layer in layers]), axis.log)

    def ticks(self, direction: str) -> tuple[tuple[float, str], ...]:
        """(place, text) of the labelled ticks of the x or y axis."""
        axis: Axis = getattr(self, direction)
        if axis.categories:
            return tuple((float(i), text) for i, text in enumerate(axis.categories))
        count = 5 if direction == "x" else 8  # labels beside each other need more room than labels on top
        return ticks.labelled(*self.limits(direction), log=axis.log, si=axis.si, count=count)


@dataclasses.dataclass(frozen=True)
class ColourScale:
    """A logarithmic or linear sequential scale from `low` to `high`."""

    label: str
    low: float
    high: float
    log: bool = True
    si: bool = False

    def fraction(self, value: np.ndarray) -> np.ndarray:
        """Places in 0 .. 1 of values on the scale."""
        value, ends = np.asarray(value, float), np.array([self.low, self.high])
        if self.log:
            value, ends = np.log(value), np.log(ends)
        span = ends[1] - ends[0]
        return np.clip((value - ends[0]) / span, 0, 1) if span > 0 else np.full(value.shape, 0.5)

    def ticks(self) -> tuple[tuple[float, str], ...]:
        """(place, text) of the labelled ticks."""
        return ticks.labelled(self.low, self.high, log=self.log, si=self.si)


@dataclasses.dataclass(frozen=True)
class Drawing:
    """One figure: its file name, title, a sentence that says what is seen, and its panels."""

    name: str
    title: str
    caption: str
    panels: tuple[Panel, ...]
    colours: ColourScale | None = None

    def rows(self) -> Iterator[dict[str, object]]:
        """Exactly the numbers drawn, one point a row, with CSV_COLUMNS as keys."""
        for panel in self.panels:
            for layer in panel.layers:
                for i in range(len(layer.x)):
                    yield _row(panel, layer, i)


def scale_of(label: str, values: np.ndarray, *, log: bool = True, si: bool = False) -> ColourScale:
    """The colour scale that spans the finite `values`."""
    finite = np.asarray(values, float)
    finite = finite[np.isfinite(finite)]
    return ColourScale(label, float(finite.min()), float(finite.max()), log, si)


def wide(values: np.ndarray) -> bool:
    """Whether the finite `values`, all above 0, span more than a factor of ten: a linear axis would hide the small."""
    finite = np.asarray(values, float)
    finite = finite[np.isfinite(finite)]
    return bool(len(finite) and finite.min() > 0 and finite.max() > DECADE * finite.min())


def texts(values: Sequence[object] | np.ndarray) -> tuple[str, ...]:
    """Strings of a column, for run ids and labels."""
    return tuple(str(value) for value in values)


def _extent(layer: Layer, direction: str) -> np.ndarray:
    own = layer.x if direction == "x" else layer.y
    if direction != ("x" if layer.kind == "spans" else "y"):
        return own
    return np.concatenate([part for part in (own, layer.low, layer.high) if part is not None])


def _row(panel: Panel, layer: Layer, i: int) -> dict[str, object]:
    def at(column: Sequence[str] | np.ndarray | None) -> object:
        if column is None or len(column) == 0:
            return ""
        item = column[i]
        return item if isinstance(item, str) else float(item)

    numbers = (layer.x, layer.y, layer.low, layer.high, layer.value, layer.run_ids, layer.labels)
    return dict(zip(CSV_COLUMNS, (panel.title, layer.name, layer.kind, *map(at, numbers)), strict=True))
