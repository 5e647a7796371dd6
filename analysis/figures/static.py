"""Draws a `Drawing` with matplotlib and writes PNG, SVG and CSV: the same bytes for the same numbers."""

import io
import math
import textwrap
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FixedFormatter, FixedLocator, NullFormatter, NullLocator

from analysis.figures import style
from analysis.figures.chart import CSV_COLUMNS, ColourScale, Drawing, Layer, Panel

DPI = 150
COLUMN_INCHES = {1: 6.6, 2: 7.6, 3: 8.4}
LEGEND_KEY_INCHES, LEGEND_LETTER_INCHES = 0.6, 0.0605  # of an entry's mark with its margins, of a letter on average
LETTER_INCHES, BESIDE_INCHES = 0.075, 1.0  # a letter of a tick's label or a title; what is beside a panel
MARKERS = {"dot": "o", "hollow": "o", "star": "*", "warning": "s", "forecast": "s", "bar": ""}
SIZES = {"dot": 4.2, "hollow": 5.6, "star": 11.0, "warning": 7.5, "forecast": 9.0, "bar": 0.0}
FAR = 1e30  # where a bar without an end is cut: beyond any axis
OPEN = ("hollow", "warning", "forecast")


def save(drawing: Drawing, folder: Path) -> list[Path]:
    """Writes NAME.png, NAME.svg and NAME.csv into `folder`, each whole or not at all; returns their paths."""
    with matplotlib.rc_context(style.RC):
        figure = render(drawing)
        images = {kind: _image(figure, kind) for kind in ("png", "svg")}
    images["csv"] = style.csv_bytes(drawing.rows(), CSV_COLUMNS)
    return [style.write_atomically(folder / f"{drawing.name}.{kind}", data) for kind, data in images.items()]


def legend_columns(names: list[str], inches: float) -> int:
    """The most columns, three at most, that the names fit beside each other in; they go down the columns in turn."""
    for columns in range(min(3, len(names)), 1, -1):
        rows, longer = divmod(len(names), columns)
        ends = np.cumsum([rows + (k < longer) for k in range(columns)])
        longest = [max(map(len, part)) for part in np.split(np.array(names, object), ends[:-1])]
        if sum(LEGEND_KEY_INCHES + LEGEND_LETTER_INCHES * length for length in longest) <= inches:
            return columns
    return 1


def render(drawing: Drawing) -> Figure:
    """The matplotlib figure of a drawing, on no global state."""
    count = len(drawing.panels)
    columns = 1 if count == 1 else 2 if count <= 4 else 3
    rows = math.ceil(count / columns)
    kinds = {layer.kind for panel in drawing.panels for layer in panel.layers}
    plain = 4.8 if count == 1 else max(4.3, 1.0 + 2.0 * rows)
    named = 1.6 + 0.5 * max(len(panel.y.categories) for panel in drawing.panels)
    height = _cells_height(drawing, rows) if "cells" in kinds else named if "spans" in kinds else plain
    figure = Figure(figsize=(COLUMN_INCHES[columns], height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = [figure.add_subplot(rows, columns, i + 1) for i in range(count)]
    for panel, ax in zip(drawing.panels, axes, strict=True):
        _draw_panel(ax, panel, drawing.colours)
    figure.suptitle(drawing.title, x=0.01, ha="left", fontsize=11.5, fontweight="bold")
    _legend(figure, drawing)
    if drawing.colours:
        _colour_bar(figure, axes, drawing.colours)
    return figure


def _image(figure: Figure, kind: str) -> bytes:
    out = io.BytesIO()
    metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    figure.savefig(out, format=kind, dpi=DPI, metadata=metadata)
    return out.getvalue()


def _cells_height(drawing: Drawing, rows: int) -> float:
    tallest = max(len(panel.y.categories) for panel in drawing.panels)
    return 1.1 + rows * (0.85 + 0.3 * min(max(tallest, 2), 10))


def _draw_panel(ax: Axes, panel: Panel, colours: ColourScale | None) -> None:
    for layer in panel.layers:
        DRAWN[layer.kind](ax, layer, colours)
    for direction in ("x", "y"):
        _axis(ax, panel, direction)
    if panel.title:
        ax.set_title(textwrap.fill(panel.title, int(_inches(ax) / LETTER_INCHES), break_long_words=False))
    if panel.x.categories:
        ax.grid(False)


def _axis(ax: Axes, panel: Panel, direction: str) -> None:
    spec, axis = getattr(panel, direction), getattr(ax, f"{direction}axis")
    if spec.log and not spec.categories:
        getattr(ax, f"set_{direction}scale")("log")
    getattr(ax, f"set_{direction}lim")(*panel.limits(direction))
    places = panel.ticks(direction)
    if direction == "x" and not spec.categories:
        places = places[:: _stride([text for _, text in places], ax)]
    axis.set_major_locator(FixedLocator([place for place, _ in places]))
    axis.set_major_formatter(FixedFormatter([text for _, text in places]))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
    getattr(ax, f"set_{direction}label")(spec.label)
    if spec.categories and direction == "x" and len(spec.categories) > 6:
        ax.tick_params(axis="x", labelsize=8)


def _stride(labels: list[str], ax: Axes) -> int:
    """Of how many labels along x one is written, so that they keep apart in a narrow panel."""
    return max(1, math.ceil(LETTER_INCHES * sum(len(label) + 1 for label in labels) / _inches(ax)))


def _inches(ax: Axes) -> float:
    """About how wide a panel is, before anything is laid out."""
    figure, spec = ax.get_figure(root=True), ax.get_subplotspec()
    assert figure is not None
    assert spec is not None
    return figure.get_figwidth() / spec.get_gridspec().ncols - BESIDE_INCHES


def colour_of(layer: Layer, colours: ColourScale | None) -> list[str]:
    """One colour a point: from the scale where the layer has values, else its role's."""
    if layer.value is None or colours is None:
        return [style.ROLES[layer.role][0]] * len(layer.x)
    return [style.mix(style.LIGHT_STOPS, float(f)) for f in colours.fraction(layer.value)]


def _line(ax: Axes, layer: Layer, colours: ColourScale | None) -> None:
    if not len(layer.x):
        return
    colour = colour_of(layer, colours)[0]
    width, dash, opacity = {"solid": (1.7, "-", 1.0), "dashed": (1.3, (0, (4, 2.5)), 1.0), "thin": (0.8, "-", 0.75)}[
        layer.mark
    ]
    order = 4 if layer.role == "frontier" else 2
    ax.plot(layer.x, layer.y, color=colour, linewidth=width, linestyle=dash, alpha=opacity, zorder=order)
    for i, text in enumerate(layer.labels):
        if text:
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.85}
            ax.text(
                layer.x[i], layer.y[i], text, fontsize=8, color=colour, ha="center", va="center", bbox=box, zorder=3
            )


def _band(ax: Axes, layer: Layer, colours: ColourScale | None) -> None:
    if layer.low is not None and layer.high is not None and len(layer.x):
        colour = colour_of(layer, colours)[0]
        ax.fill_between(layer.x, layer.low, layer.high, color=colour, alpha=0.18, linewidth=0, zorder=1)


def _points(ax: Axes, layer: Layer, colours: ColourScale | None) -> None:
    colour, above = colour_of(layer, colours), 6 if layer.mark in ("star", *OPEN) else 5
    if layer.low is not None and layer.high is not None:
        low, high = (np.nan_to_num(ends, nan=np.nan, posinf=FAR) for ends in (layer.low, layer.high))
        bars, places = (ax.hlines, layer.y) if layer.kind == "spans" else (ax.vlines, layer.x)
        bars(places, low, high, colors=colour, linewidth=1.1, zorder=above - 1)
    if layer.mark == "bar":
        return
    open_marker = layer.mark in OPEN
    ax.scatter(
        layer.x,
        layer.y,
        s=SIZES[layer.mark] ** 2,
        marker=MARKERS[layer.mark],
        facecolors="white" if open_marker else colour,
        edgecolors=colour if open_marker else "white",
        linewidths=1.4 if open_marker else 0.6,
        zorder=above,
    )


def _cells(ax: Axes, layer: Layer, colours: ColourScale | None) -> None:
    paints = colour_of(layer, colours)
    if layer.mark == "best":
        for x, y in zip(layer.x, layer.y, strict=True):
            outline = {"fill": False, "edgecolor": style.ROLES["law"][0], "linewidth": 2.4, "zorder": 6}
            ax.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, clip_on=False, **outline))
        return
    room = len({float(x) for x in layer.x}) * max(map(len, layer.labels), default=1)  # letters side by side
    for i, paint in enumerate(paints):
        x, y = float(layer.x[i]), float(layer.y[i])
        ax.add_patch(Rectangle((x - 0.48, y - 0.48), 0.96, 0.96, facecolor=paint, linewidth=0))
        if layer.labels:
            ink = style.readable_on(paint)
            ax.text(x, y, layer.labels[i], ha="center", va="center", fontsize=min(8, max(4, 220 / room)), color=ink)


DRAWN = {"line": _line, "points": _points, "spans": _points, "band": _band, "cells": _cells}


def _legend(figure: Figure, drawing: Drawing) -> None:
    entries: dict[str, Line2D | Patch] = {}
    for layer in (layer for panel in drawing.panels for layer in panel.layers if layer.legend and len(layer.x)):
        entries.setdefault(layer.name, _key(layer, drawing.colours))
    if entries:
        columns = legend_columns(list(entries), figure.get_figwidth())
        figure.legend(entries.values(), entries.keys(), loc="outside lower left", ncols=columns)


def _key(layer: Layer, colours: ColourScale | None) -> Line2D | Patch:
    colour = "#777777" if layer.value is not None else style.ROLES[layer.role][0]
    if layer.kind == "band":
        return Patch(facecolor=colour, alpha=0.25)
    if layer.kind == "cells":
        return Patch(fill=False, edgecolor=style.ROLES["law"][0], linewidth=2)
    if layer.kind == "line":
        dash, width = "--" if layer.mark == "dashed" else "-", 0.8 if layer.mark == "thin" else 1.6
        return Line2D([], [], color=colour, linestyle=dash, linewidth=width)
    if layer.mark == "bar":
        return Line2D([], [], color=colour, marker="|", markersize=9, linestyle="", markeredgewidth=1.3)
    inside = "white" if layer.mark in OPEN else colour
    size = SIZES[layer.mark]
    return Line2D(
        [], [], color=colour, marker=MARKERS[layer.mark], markersize=size, linestyle="", markerfacecolor=inside
    )


def _colour_bar(figure: Figure, axes: list[Axes], colours: ColourScale) -> None:
    palette = LinearSegmentedColormap.from_list("sequential", list(style.LIGHT_STOPS))
    low, high = colours.low, colours.high
    if not high > low:
        low, high = np.array([0.9, 1.1]) * (low or 1.0)
    norm = LogNorm(low, high) if colours.log else Normalize(low, high)
    bar = figure.colorbar(ScalarMappable(norm, palette), ax=axes, fraction=0.035, pad=0.02, aspect=28)
    bar.ax.yaxis.set_major_locator(FixedLocator([place for place, _ in colours.ticks()]))
    bar.ax.yaxis.set_major_formatter(FixedFormatter([text for _, text in colours.ticks()]))
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.set_label(colours.label)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
