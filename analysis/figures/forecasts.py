"""Registered forecasts against what came."""

from collections.abc import Sequence

import numpy as np

from analysis.figures.chart import JOINT, Axis, Drawing, Layer, NothingToDraw, Panel
from analysis.forecasts.grading import LANDED, Grade

NAME = "forecasts"
ROLES = {"best": "approach2", "power": "approach3"}
NAMED = {"best": "naive: best so far", "power": "naive: power of C"}


def build(grades: Sequence[Grade]) -> Drawing:
    """What was seen, the interval and the naive guesses, all over the forecast, by how far was extrapolated.

    Raises NothingToDraw where no forecast has landed.
    """
    landed = [one for one in grades if one.state == LANDED]
    if not landed:
        raise NothingToDraw("no forecast has landed")
    panels = [_panel(column, [one for one in landed if one.record.column == column]) for column in _columns(landed)]
    caption = (
        "All over the forecast. Bars: the registered intervals. Dots: the mean over the runs that landed there; at 1 "
        "the forecast was right. Hollow: the naive guesses, which it has to beat in coming near the dot."
    )
    return Drawing(NAME, "Registered forecasts against what came", caption, tuple(panels))


def _columns(landed: Sequence[Grade]) -> list[str]:
    return list(dict.fromkeys(one.record.column for one in landed))


def _panel(column: str, landed: Sequence[Grade]) -> Panel:
    x = _apart(np.array([one.record.extrapolation for one in landed]))
    value = np.array([one.record.forecast["value"] for one in landed])
    low, high = (np.array([one.record.interval[k] for one in landed]) / value for k in (0, 1))
    seen = np.array([1 / (1 + one.error) for one in landed])
    inside = np.array([bool(one.inside) for one in landed])
    ids = [JOINT.join(run.run_id for run in one.runs) for one in landed]
    ends = np.array([x.min() / 1.1, x.max() * 1.1])
    layers = [
        Layer("line", "right", ends, np.ones(2), role="muted", mark="dashed", legend=False),
        Layer("points", "interval", x, np.ones(len(x)), low, high, role="forecast", mark="bar"),
    ]
    for name, said in NAMED.items():
        ratio = np.array([(1 + one.naive_errors[name]) / (1 + one.error) for one in landed])
        layers.append(Layer("points", said, x, ratio, role=ROLES[name], mark="hollow"))
    for there, said, role in ((inside, "seen, inside", "ink"), (~inside, "seen, outside", "warning")):
        if there.any():
            own = tuple(ids[i] for i in np.flatnonzero(there))
            layers.append(Layer("points", said, x[there], seen[there], role=role, mark="dot", run_ids=own))
    axis = Axis("extrapolation: C over the largest C fitted")
    return Panel(axis, Axis(f"{column} / forecast", log=False), tuple(layers), column)


def _apart(x: np.ndarray) -> np.ndarray:
    """Equal extrapolations a few percent apart, so that their bars do not cover each other."""
    moved = x.astype(float)
    for value in np.unique(x):
        own = np.flatnonzero(x == value)
        moved[own] *= 1.03 ** (np.arange(len(own)) - (len(own) - 1) / 2)
    return moved
