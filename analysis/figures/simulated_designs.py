"""How near simulated studies come to the truth by design and by an even grid, and how wide their intervals are."""

from collections.abc import Iterator, Sequence

import numpy as np

from analysis.design.simulate import Compared
from analysis.figures.chart import Axis, Drawing, Layer, Panel

NAME = "simulated_designs"
GAP = 3  # studies between the arms
ROLES = {"design": ("law", "dot"), "even grid": ("approach1", "hollow")}
WHAT = {"loss": "ln loss", "exponent": "exponent a", "choice": "wrong law is off by (sd)"}


def build(found: Sequence[Compared]) -> Drawing:
    """A panel a target: the estimates of each arm with their intervals, ascending."""
    ratios = ", ".join(f"{one.target} {one.spread[0]:.2f}" for one in found)
    caption = f"A point a study with its 90 % interval. Spread of the designs over that of the even grids: {ratios}."
    return Drawing(NAME, "Further runs by design and by an even grid of equal cost", caption, tuple(map(_panel, found)))


def _panel(found: Compared) -> Panel:
    x = Axis("studies of each arm, ascending by estimate", log=False)
    return Panel(x, Axis(WHAT[found.target], log=False), tuple(_layers(found)), found.target)


def _layers(found: Compared) -> Iterator[Layer]:
    for k, (arm, (role, mark)) in enumerate(ROLES.items()):
        order = np.argsort(found.estimates[arm], kind="stable")
        middle, half = found.estimates[arm][order], found.half_widths[arm][order]
        place = np.arange(1, len(order) + 1) + k * (len(order) + GAP)
        ends = (None, None) if found.target == "choice" else (middle - half, middle + half)
        yield Layer("points", arm, place, middle, *ends, role=role, mark=mark)
    if np.isfinite(found.truth):
        count = len(found.estimates["design"])
        ends, truth = np.array([1.0, 2 * count + GAP]), np.full(2, found.truth)
        yield Layer("line", "truth", ends, truth, role="frontier", mark="thin")
