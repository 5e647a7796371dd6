"""The fitted loss over (N, D): contours, the runs it was fitted to, the frontier and the IsoFLOP lines."""

from collections.abc import Iterator

import numpy as np

from analysis.budgets import along_budget, shared_budgets
from analysis.figures import ticks
from analysis.figures.chart import Axis, Drawing, Layer, NothingToDraw, Panel, scale_of
from analysis.study import Study

NAME = "surface"
GRID = 90
LEVELS = 14
LABEL_EVERY = 2
LABEL_PLACE = 0.8  # along a contour: off the middle, where the frontier runs


def build(study: Study) -> Drawing:
    """The drawing; raises NothingToDraw without a fitted law over N and D."""
    if study.fit is None:
        raise NothingToDraw(study.why("fit"))
    if not study.is_surface():
        raise NothingToDraw(f"the law {study.fit.law} is not one over N and D")
    colours = scale_of(f"loss ({study.units.loss})", study.both("loss"))
    layers = (*_contours(study, colours.low, colours.high), *_isoflop_lines(study), *_frontier(study), *_runs(study))
    panel = Panel(Axis("parameters N", si=True), Axis(f"training {study.units.data} D", si=True), layers)
    caption = f"Contours: the fitted law, in {study.units.loss}. Points: the runs, coloured by the loss they reached."
    return Drawing(NAME, f"Fitted loss over N and D ({study.fit.law})", caption, (panel,), colours)


def levels(low: float, high: float) -> np.ndarray:
    """Contour levels evenly spaced in ln L, rounded so that their labels are short."""
    if not high > low:
        return np.array([low])
    raw = np.geomspace(low, high, LEVELS)
    return np.unique(np.round(raw, max(2, -int(np.floor(np.log10(raw[1] - raw[0]))))))


def _contours(study: Study, low: float, high: float) -> Iterator[Layer]:
    from contourpy import contour_generator  # a dependency of matplotlib; only this figure needs it

    assert study.fit is not None
    n_grid, d_grid = (np.geomspace(*ticks.padded(study.both(name), True), GRID) for name in ("n_params", "tokens"))
    lines = contour_generator(np.log(n_grid), np.log(d_grid), study.fit.predict(*np.meshgrid(n_grid, d_grid)))
    for i, level in enumerate(levels(low, high)):
        for path in lines.lines(level):
            path = np.exp(np.asarray(path, float))
            labels = [""] * len(path)
            if i % LABEL_EVERY == 0:
                labels[int(len(path) * LABEL_PLACE)] = f"{level:g}"
            value = np.full(len(path), level)
            style = {"mark": "thin", "legend": False, "frames": False, "labels": tuple(labels)}
            yield Layer("line", "contour", *path.T, value=value, **style)


def _isoflop_lines(study: Study) -> Iterator[Layer]:
    for i, (_, rows) in enumerate(shared_budgets(study.runs)):
        points = along_budget(study.runs, rows, 2)
        yield Layer("line", "one budget", *points, role="muted", mark="dashed", legend=i == 0, frames=False)


def _frontier(study: Study) -> Iterator[Layer]:
    if study.fit is not None and study.fit.frontier is not None:
        compute = study.compute_range(GRID)
        points = (study.fit.frontier.n_opt(compute), study.fit.frontier.d_opt(compute))
        if np.isfinite(points).all():
            yield Layer("line", "compute-optimal N and D", *points, role="frontier", frames=False)


def _runs(study: Study) -> Iterator[Layer]:
    for runs, name, mark in zip(study.tables(), ("run", "held-out run"), ("dot", "hollow"), strict=False):
        points, loss = (runs.numbers("n_params"), runs.numbers("tokens")), runs.numbers("loss")
        yield Layer("points", name, *points, value=loss, mark=mark, run_ids=runs.names())
