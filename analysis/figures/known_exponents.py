"""Power laws beside the slopes that theory gives them."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from analysis.figures.chart import Axis, Drawing, Layer, Panel, scale_of

NAME = "known_exponents"
AXES = {"N": "parameters N", "D": "examples D", "C": "training compute C (FLOPs)"}
VALUES = {"L": "loss (squared error)", "N": "best size N*"}


@dataclasses.dataclass(frozen=True)
class PowerLine:
    """Points (x, y), the measured `slope` of ln y over ln x, and the exponent by theory, without sign.

    `group` names the family of laws and `quantity` what is drawn, as "L(C)": lines that agree in both share a panel.
    """

    group: str
    quantity: str
    x: np.ndarray
    y: np.ndarray
    slope: float
    theory: float


def build(lines: Sequence[PowerLine]) -> Drawing:
    """A panel a group and quantity; colour is the exponent by theory."""
    colours = scale_of("exponent by theory", np.array([line.theory for line in lines]), log=False)
    keys = dict.fromkeys((line.group, line.quantity) for line in lines)
    panels = tuple(_panel(key, [line for line in lines if (line.group, line.quantity) == key]) for key in keys)
    caption = (
        "Points: what was measured, the mean of ln loss over seeds, or the minimum of each budget. Solid: the fitted "
        "power. Dashed: theory's slope through the points' middle."
    )
    return Drawing(NAME, "Exponents that theory knows", caption, panels, colours)


def _panel(key: tuple[str, str], lines: Sequence[PowerLine]) -> Panel:
    group, quantity = key
    layers = [layer for line in lines for layer in _layers(line)]
    return Panel(Axis(AXES[quantity[2]], si=True), Axis(VALUES[quantity[0]]), tuple(layers), group)


def _layers(line: PowerLine) -> list[Layer]:
    middle_x, middle_y = (np.exp(np.log(values).mean()) for values in (line.x, line.y))
    ends = np.array([line.x.min(), line.x.max()])
    expected = np.sign(line.slope) * line.theory

    def through(slope: float) -> np.ndarray:
        return middle_y * (ends / middle_x) ** slope

    value = np.full(2, line.theory)
    return [
        Layer("line", "theory's slope", ends, through(expected), value=value, mark="dashed", frames=False),
        Layer("line", "fitted power", ends, through(line.slope), value=value, frames=False),
        Layer("points", "measured", line.x, line.y, value=np.full(len(line.x), line.theory), mark="dot"),
    ]
