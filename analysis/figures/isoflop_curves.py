"""IsoFLOP curves: loss over N at each compute budget, with the minima that approach 2 reads off, and their bias."""

from collections.abc import Iterator

import numpy as np

from analysis.budgets import along_budget, shared_budgets
from analysis.figures import ticks
from analysis.figures.chart import Axis, Drawing, Layer, NothingToDraw, Panel, scale_of
from analysis.isoflop import Group
from analysis.isoflop.table import bias_sentence
from analysis.study import Study

NAME = "isoflop_curves"
CURVE_POINTS = 60
CURVES = {"parabola": "parabola", "log_parabola": "parabola of ln loss"}
CURVES |= {"akima": "Akima's interpolation", "surface": "fitted law at its minima"}
BOTTOM = "N* of the fitted law"


def build(study: Study) -> Drawing:
    """The drawing; raises NothingToDraw when no two sizes share a budget."""
    groups = shared_budgets(study.runs)
    if not groups:
        raise NothingToDraw("no two sizes share a compute budget")
    colours = scale_of("compute budget C (FLOPs)", np.array([budget for budget, _ in groups]))
    layers = [layer for i, group in enumerate(groups) for layer in _group(study, *group, first=i == 0)]
    layers += [layer for i, group in enumerate(_fitted(study)) for layer in _curve(study, group, first=i == 0)]
    layers += _bottom(study, np.array([budget for budget, _ in groups]))
    layers += [layer for layer in (_minima(study), _edges(study)) if len(layer.x)]
    panel = Panel(Axis("parameters N", si=True), Axis(f"held-out loss ({study.units.loss})"), tuple(layers))
    return Drawing(NAME, "IsoFLOP curves", caption(study), (panel,), colours)


def caption(study: Study) -> str:
    """A sentence on what is seen, with the dropped budgets."""
    text = "Each colour is one compute budget."
    if study.isoflop is None:
        return f"{text} No minima are marked: {study.why('isoflop')}."
    text += f" Solid: {CURVES[study.isoflop.method]}; star: its minimum."
    if study.fit is not None:
        text += " Dashed: the fitted law at the same budget."
    if bias := bias_sentence(study.isoflop):
        text += f" {bias[0].upper()}{bias[1:]}."
    dropped = [f"{ticks.write(group.budget)} FLOPs ({group.reason})" for group in _fitted(study) if group.edge]
    text += f" Dropped: {'; '.join(dropped)}." if dropped else ""
    few = len(study.isoflop.groups) - len(_fitted(study))
    return text + (f" Budgets with too few sizes for a curve: {few}." if few else "")


def _group(study: Study, budget: float, rows: np.ndarray, first: bool) -> Iterator[Layer]:
    sizes, loss = study.runs["n_params"][rows].astype(float), study.runs["loss"][rows]
    yield from _law(study, budget, rows, first)
    yield from _seed_bars(study, budget, rows, first)
    ids, value = tuple(study.runs.run_id(row) for row in rows), np.full(len(rows), budget)
    yield Layer("points", "run", sizes, loss, value=value, mark="dot", run_ids=ids, legend=first)


def _law(study: Study, budget: float, rows: np.ndarray, first: bool) -> Iterator[Layer]:
    if study.fit is None:
        return
    sizes, tokens = along_budget(study.runs, rows, CURVE_POINTS)
    value = np.full(CURVE_POINTS, budget)
    loss = study.fit.predict(n_params=sizes, tokens=tokens, flops=value, **study.fit.held) + np.zeros(CURVE_POINTS)
    yield Layer("line", "fitted law", sizes, loss, value=value, mark="dashed", legend=first, frames=False)


def _seed_bars(study: Study, budget: float, rows: np.ndarray, first: bool) -> Iterator[Layer]:
    """From the lowest to the highest loss among runs of the same N and D."""
    points = np.stack([study.runs["n_params"][rows], study.runs["tokens"][rows]], axis=1).astype(float)
    different, which = np.unique(points, axis=0, return_inverse=True)
    groups = [study.runs["loss"][rows[which.ravel() == k]] for k in range(len(different))]
    repeated = [k for k, group in enumerate(groups) if len(group) > 1]
    if repeated:
        low, high = np.array([(groups[k].min(), groups[k].max()) for k in repeated]).T
        spread = (different[repeated, 0], (low + high) / 2, low, high, np.full(len(repeated), budget))
        yield Layer("points", "spread over seeds", *spread, mark="bar", legend=first)


def _fitted(study: Study) -> list[Group]:
    """The budgets with enough sizes for a curve, whether their minimum was kept or dropped."""
    return [group for group in study.isoflop.groups if group.fitted] if study.isoflop is not None else []


def _curve(study: Study, group: Group, first: bool) -> Iterator[Layer]:
    if group.curve is None or study.isoflop is None or study.isoflop.method == "surface":
        return  # the surface is drawn already, dashed
    grid = np.geomspace(group.n_params.min(), group.n_params.max(), CURVE_POINTS)
    value, name = np.full(CURVE_POINTS, group.budget), CURVES[study.isoflop.method]
    yield Layer("line", name, grid, group.curve(grid), value=value, legend=first, frames=False)


def _bottom(study: Study, budgets: np.ndarray) -> Iterator[Layer]:
    """Where the fitted law is lowest at each C: a star beside this line shows its method's bias, or noise."""
    front = study.fit.frontier if study.fit is not None else None
    if front is None or study.isoflop is None:
        return
    flops = np.geomspace(budgets.min(), budgets.max(), CURVE_POINTS)
    n, loss = front.n_opt(flops), front.loss(flops)
    if np.isfinite(n).all():
        yield Layer("line", BOTTOM, n, loss, role="frontier", mark="thin", frames=False)


def _minima(study: Study) -> Layer:
    kept = [group for group in _fitted(study) if not group.edge]
    places = np.array([(group.n_opt, group.loss_opt) for group in kept]).reshape(-1, 2)
    value, labels = np.array([group.budget for group in kept]), tuple(f"{group.budget:.3g} FLOPs" for group in kept)
    return Layer("points", "minimum", *places.T, value=value, mark="star", labels=labels)


def _edges(study: Study) -> Layer:
    """The lowest measured loss of each dropped budget: it has no minimum of its own."""
    dropped = [group for group in _fitted(study) if group.edge]
    lowest = [int(np.argmin(group.loss)) for group in dropped]
    pairs = [(group.n_params[i], group.loss[i]) for group, i in zip(dropped, lowest, strict=True)]
    labels = tuple(group.reason for group in dropped)
    places = np.array(pairs, float).reshape(-1, 2)
    return Layer("points", "edge minimum, dropped", *places.T, role="warning", mark="warning", labels=labels)
