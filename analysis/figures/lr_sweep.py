"""Loss over learning rate at several sizes: does the best rate stay where it is?"""

from collections.abc import Sequence

import numpy as np

from analysis.figures.chart import Axis, Drawing, Layer, Panel, scale_of, wide
from analysis.lr_minima import RateMinimum, families

NAME = "lr_sweep"
CAPTION = "Points: means over seeds, with their spread; stars: the minimum of the parabola through the lowest."


def build(found: Sequence[RateMinimum]) -> list[Drawing]:
    """A drawing an axis, a panel a parametrisation and horizon: the mean loss of each size, and its fitted minimum."""
    groups = families(found)
    return [_drawing(groups, axis) for axis in dict.fromkeys(axis for _, axis in groups)]


def _drawing(groups: dict[tuple[str, str], list[RateMinimum]], axis: str) -> Drawing:
    own = {name: line for (name, each), line in groups.items() if each == axis}
    sizes = np.array([getattr(one, axis) for line in own.values() for one in line], float)
    panels = [
        panel(f"{name}, {steps} steps", axis, [one for one in line if one.steps == steps])
        for name, line in own.items()
        for steps in dict.fromkeys(one.steps for one in line)
    ]
    title, colours = f"Loss over learning rate and {axis}", scale_of(axis, sizes)
    return Drawing(f"{NAME}_{axis}", title, CAPTION, tuple(panels), colours)


def panel(title: str, axis: str, line: Sequence[RateMinimum]) -> Panel:
    """Loss over rate of the sizes of a `line`, coloured by their `axis` (width, depth, n_params)."""
    layers = [layer for one in line for layer in _layers(one, float(getattr(one, axis)))]
    y = Axis(f"loss ({line[0].unit})", log=wide(np.concatenate([layer.y for layer in layers])))
    return Panel(Axis("peak learning rate"), y, tuple(layers), title)


def _layers(one: RateMinimum, size: float) -> list[Layer]:
    sound = (np.isfinite(one.losses) & (one.losses > 0)).all(axis=1)
    rates, losses = one.rates[sound], one.losses[sound]
    mean, value = losses.mean(axis=1), np.full(len(rates), size)
    spread = losses.std(axis=1, ddof=1) if losses.shape[1] > 1 else np.zeros(len(rates))
    about, bars = "mean over seeds, with their standard deviation", (mean - spread, mean + spread)
    layers = [
        Layer("line", "mean over seeds", rates, mean, value=value, legend=False),
        Layer("points", about, rates, mean, *bars, value, mark="dot"),
    ]
    if not one.reason:
        star = np.array([one.best]), np.array([one.loss])
        layers.append(Layer("points", "fitted minimum", *star, value=np.array([size]), mark="star"))
    return layers
