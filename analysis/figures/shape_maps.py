"""Loss over (width, depth) at each budget: small heat maps with the best shape outlined."""

import numpy as np

from analysis.budgets import shared_budgets
from analysis.figures import ticks
from analysis.figures.chart import JOINT, Axis, ColourScale, Drawing, Layer, NothingToDraw, Panel
from analysis.study import Study

NAME = "shape_maps"
SMALLEST_RANGE = 1e-3  # of the mean loss


def build(study: Study) -> Drawing:
    """The drawing; raises NothingToDraw when widths, depths or budgets are unknown."""
    known = np.isfinite(study.runs.numbers("width") * study.runs.numbers("depth"))
    groups = [(budget, rows[known[rows]]) for budget, rows in shared_budgets(study.runs)]
    panels = tuple(_panel(study, budget, rows) for budget, rows in groups if len(rows))
    if not panels:
        raise NothingToDraw("no two runs of a budget have a width and a depth")
    widest = max(float(layer.value.max()) for panel in panels for layer in panel.layers if layer.value is not None)
    least = SMALLEST_RANGE * float(study.runs["loss"].mean())
    colours = ColourScale(f"loss above the budget's best ({study.units.loss})", 0.0, max(widest, least), log=False)
    caption = "Each cell is the mean loss over the seeds of one shape; outlined: the best shape of the budget."
    return Drawing(NAME, "Loss over width and depth", caption, panels, colours)


def _panel(study: Study, budget: float, rows: np.ndarray) -> Panel:
    width, depth = (study.runs.numbers(name)[rows] for name in ("width", "depth"))
    widths, x = np.unique(width, return_inverse=True)
    depths, y = np.unique(depth, return_inverse=True)
    shapes, which = np.unique(np.stack([x, y], axis=1), axis=0, return_inverse=True)
    members = [rows[which.ravel() == k] for k in range(len(shapes))]
    mean = np.array([study.runs["loss"][member].mean() for member in members])
    cells = Layer(
        "cells",
        "shape",
        *shapes.T.astype(float),
        value=mean - mean.min(),
        legend=False,
        run_ids=tuple(JOINT.join(study.runs.run_id(i) for i in member) for member in members),
        labels=tuple(f"{value:#.4g}" for value in mean),
    )
    best = Layer("cells", "best shape", *shapes[[np.argmin(mean)]].T.astype(float), mark="best")
    shape_axes = _axis("width", widths), _axis("depth", depths)
    return Panel(*shape_axes, (cells, best), f"C = {ticks.write(budget)} FLOPs")


def _axis(label: str, values: np.ndarray) -> Axis:
    return Axis(label, log=False, categories=tuple(f"{value:g}" for value in values))
