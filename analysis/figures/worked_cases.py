"""The worked cases: loss over gradient descent, two fitted lines through their data, and distances from the truth."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analysis.figures.chart import Axis, Drawing, Layer, Panel

Rows = Sequence[Mapping[str, Any]]
MARKED = (2.0, 1.0)  # standard errors, the wider band first


def losses(curves: Mapping[str, Rows]) -> Drawing:
    """Training and validation loss over steps, a panel a model; a star where it is best stopped."""
    panels = []
    for name, curve in curves.items():
        step, train, loss = (np.array([point[key] for point in curve], float) for key in ("step", "train_loss", "loss"))
        best, ends, guess = [int(loss.argmin())], step[[0, -1]], np.full(2, np.log(2))
        layers = [
            Layer("line", "rows that are trained on", step, train, role="forecast"),
            Layer("line", "validation rows, never trained on", step, loss, role="law"),
            Layer("points", "best place to stop", step[best], loss[best], role="law", mark="star"),
            Layer("line", "guessing", ends, guess, role="muted", mark="dashed", frames=False),
        ]
        panels.append(Panel(Axis("steps of gradient descent"), Axis("loss (nats/example)"), tuple(layers), name))
    caption = "Both models come to know their few rows too well: what still helps with these harms with others."
    return Drawing("loss_over_steps", "A small table is learnt by heart", caption, tuple(panels))


def lines(x: np.ndarray, y: np.ndarray, truth: Mapping[str, float], fitted: Rows) -> Drawing:
    """The rows that were trained on, the true line, and the fitted one with an intercept and without."""
    ends = np.array([min(x.min(), 0.0), max(x.max(), 0.0)])
    named = [(f"Adam, {one['line']}", one) for one in fitted] + [("truth: y = 2 + 3 x", truth)]
    styles = (("forecast", "solid"), ("law", "solid"), ("ink", "dashed"))
    layers = [Layer("points", "rows that were trained on", x, y, role="muted", mark="dot")]
    for (name, one), (role, mark) in zip(named, styles, strict=True):
        layers.append(Layer("line", name, ends, one["intercept"] + one["slope"] * ends, role=role, mark=mark))
    panel = Panel(Axis("x", log=False), Axis("y", log=False), tuple(layers))
    caption = "Without an intercept the line must pass through the origin, where the data do not."
    return Drawing("fitted_lines", "A line by Adam, with an intercept and without", caption, (panel,))


def distances(rows: Rows) -> Drawing:
    """Distance of each fitted coefficient from the truth over tables, with bands of one and two standard errors."""
    number = np.array([row["table"] for row in rows], float)
    ends = np.array([number.min() - 0.5, number.max() + 0.5])
    layers = [
        Layer("band", "one and two standard errors", ends, np.zeros(2), np.full(2, -k), np.full(2, k), role="muted")
        for k in MARKED
    ]
    for name, role, mark in (("intercept", "forecast", "dot"), ("slope", "law", "hollow")):
        own = [row for row in rows if row["parameter"] == name]
        at, off = (np.array([row[key] for row in own], float) for key in ("table", "adam_from_truth"))
        layers.append(Layer("points", name, at, off, role=role, mark=mark))
    y = Axis("distance from the truth (standard errors)", log=False)
    panel = Panel(Axis("table; 0 is the recipe's own", log=False), y, tuple(layers))
    caption = "Of many tables the truth lies within one standard error of 68 %, within two of 95 %."
    return Drawing("distances", "How far from the truth the fitted lines lie", caption, (panel,))
