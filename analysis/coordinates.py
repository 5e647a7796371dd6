"""Coordinate checks: does the change of every layer's activations keep its size over width, or over depth?

Yang et al. 2022 (Tensor Programs V), section D.1; over depth Dey et al. 2025 (CompleteP), figure 3. A layer whose
change grows or shrinks with the size will want another learning rate at another size.
"""

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from analysis.figures.chart import Axis, Drawing, Layer, Panel, scale_of

BOUND = 0.1  # of |slope|
COLUMNS = ("parametrization", "optimizer", "axis", "size", "seed", "step", "layer", "scale", "change")
BRANCHES = {"attention_out": "attention", "convolution_out": "convolution", "mlp_out": "mlp"}

Row = Mapping[str, Any]


class CoordinateError(ValueError):
    """Sizes that cannot be compared, in one line."""


@dataclasses.dataclass(frozen=True)
class LayerChange:
    """One layer's RMS change since step 0.

    `change` (sizes, steps): geometric means over seeds at steps 1, 2, ..; `slope` of ln change at the last step over
    ln size, and its standard error over seeds (nan for one). nan where a run stood still or broke: no pass.
    """

    layer: str
    change: np.ndarray
    slope: float
    slope_se: float

    @property
    def passed(self) -> bool:
        """Whether the slope is within the bound."""
        return abs(self.slope) < BOUND


@dataclasses.dataclass(frozen=True)
class Check:
    """The layers in the order of the forward pass, over `sizes` of `axis` (width or depth), for steps 1 to `steps`."""

    parametrization: str
    axis: str
    sizes: tuple[int, ...]
    steps: int
    layers: tuple[LayerChange, ...]

    @property
    def passed(self) -> bool:
        """Whether every layer's slope is within the bound."""
        return all(layer.passed for layer in self.layers)

    def lines(self) -> list[str]:
        """The slopes, a line each, and the verdict."""
        width = max(len(each.layer) for each in self.layers)
        largest = np.abs([each.slope for each in self.layers]).max()
        over = f"{self.axis} {', '.join(map(str, self.sizes))}"
        marks = ["" if each.passed else "  beyond the bound" for each in self.layers]
        return [
            f"{self.parametrization} over {over}: slope of ln(change of the activation) at step {self.steps}",
            *(
                f"  {each.layer:<{width}}  {each.slope:+.3f} ± {each.slope_se:.3f}{mark}"
                for each, mark in zip(self.layers, marks, strict=True)
            ),
            f"coordinate check {'passed' if self.passed else 'FAILED'}: largest |slope| {largest:.3f}, bound {BOUND:g}",
        ]


def check(rows: Sequence[Row], axis: str) -> Check:
    """The check of the rows (COLUMNS) of one parametrisation over `axis`.

    Over depth a block stands for the share of the depth at which it reads the stream: at 0 and 1/2 where the numbers of
    blocks are even, else at 0; the stream is compared at 1/2 and at the end. Raises CoordinateError below two sizes.
    """
    sizes = tuple(sorted({row["size"] for row in rows}))
    if len(sizes) < 2:
        raise CoordinateError(f"sizes: {', '.join(map(str, sizes))}; allowed: two or more")
    if axis == "depth":
        rows = list(_at_equal_shares(rows))
    steps, seeds = max(row["step"] for row in rows), sorted({row["seed"] for row in rows})
    by_layer: dict[str, np.ndarray] = defaultdict(lambda: np.full((len(sizes), len(seeds), steps), np.nan))
    for row in rows:
        if row["step"]:
            place = sizes.index(row["size"]), seeds.index(row["seed"]), row["step"] - 1
            by_layer[row["layer"]][place] = math.log(row["change"]) if 0 < row["change"] < math.inf else math.nan
    layers = tuple(_layer(name, changes, sizes) for name, changes in by_layer.items())
    return Check(rows[0]["parametrization"], axis, sizes, steps, layers)


def _layer(name: str, logs: np.ndarray, sizes: tuple[int, ...]) -> LayerChange:
    """From ln change (sizes, seeds, steps)."""
    x = np.log(sizes) - np.log(sizes).mean()
    slopes = x @ logs[:, :, -1] / (x @ x)
    error = slopes.std(ddof=1) / math.sqrt(len(slopes)) if len(slopes) > 1 else math.nan
    return LayerChange(name, np.exp(logs.mean(axis=1)), float(slopes.mean()), float(error))


def _at_equal_shares(rows: Sequence[Row]) -> Iterable[Row]:
    """The rows of the layers that lie at equal shares of the depth, under names that say so."""
    blocks: dict[int, int] = defaultdict(int)  # by size, for a perceptron's first layer is none
    for row in rows:
        if "/" in row["layer"]:
            blocks[row["size"]] = max(blocks[row["size"]], _block(row["layer"]) + 1)
    parts = 1 if any(n % 2 for n in blocks.values()) else 2
    for row in rows:
        block, _, what = row["layer"].partition("/")
        if not what:
            yield row
            continue
        side, _, part = what.rpartition("/")  # of what runs beside each other in a block
        index = _block(block) + (part == "stream")  # a branch reads before, the stream is after it
        if index * parts % blocks[row["size"]] == 0:
            share = index * parts // blocks[row["size"]] / parts
            yield {**row, "layer": f"{side} {BRANCHES.get(part, part)} at {share:g} depth".lstrip()}


def _block(layer: str) -> int:
    return int(layer.partition("/")[0].removeprefix("block_"))


def drawing(found: Check) -> Drawing:
    """A panel a layer: the change over the size, a line a step."""
    steps = np.arange(1, found.steps + 1)
    colours = scale_of("step", steps, log=False)
    x, y = Axis(found.axis), Axis("RMS change")
    panels = []
    for each in found.layers:
        lines = tuple(
            Layer("line", f"step {step}", np.array(found.sizes, float), each.change[:, step - 1], legend=False,
                  value=np.full(len(found.sizes), float(step)))
            for step in steps
        )  # fmt: skip
        panels.append(Panel(x, y, lines, f"{each.layer} {each.slope:+.2f}"))
    title = f"Coordinate check over {found.axis}, {found.parametrization}: {'passed' if found.passed else 'failed'}"
    caption = f"RMS of each layer's activation minus that at step 0; above each its slope at step {found.steps}."
    return Drawing(f"coordinates_{found.parametrization}_{found.axis}", title, caption, tuple(panels), colours)
