"""Yang et al. 2022, "Tensor Programs V" (muP), and Dey et al. 2025 (CompleteP): does the best rate stay over size?"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments.reproduce.entry import Figure, Own, Paper, Quantity, Result

if TYPE_CHECKING:
    from analysis.figures.chart import Drawing, Layer
    from analysis.lr_minima import RateMinimum

SWEEP = "rate_transfer"
LEVEL = 0.9
CARRIED = {"width": ("completep", "mup"), "depth": ("completep",)}  # what is to keep the best rate
STEP = 0.5  # octaves a doubling within which it stays: one step of the rates tried over four times the size
FALLS = -1.0  # of the width, under standard: Adam's rate of a matrix goes as one over it (Yang et al. 2022, table 3)
SOURCES = {"width": "Yang et al. 2022, figure 1", "depth": "Dey et al. 2025"}
BAR = f"a rate stays that moves by at most {STEP:g} octaves a doubling: one step of those tried over 4 times the size"
ROLES = ("approach1", "law", "approach2")
STAYS = "runs so short or so narrow that the loss is flat about its minimum, and the parabola through few rates moves"
NARROW = "wide networks alone obey it: here embedding and head, whose rate need not fall, are much of a network"


def over(axis: str, own: Own) -> Result:
    """The best rate over one axis under each parametrisation, and what a rate carried over it costs."""
    from analysis.figures import lr_sweep
    from experiments.reproduce import own_study

    lines = _lines(own.workdirs[SWEEP], axis)
    quantities = [one for name, line in lines.items() for one in _quantities(name, axis, line)]
    losses = lr_sweep.build([one for line in lines.values() for one in line])[0]
    title = f"Loss over learning rate and {axis} (after {SOURCES[axis]})"
    return Result((own_study.named(losses, title), _best(lines, axis)), tuple(quantities), (BAR,))


def _lines(workdir: Path, axis: str) -> "Mapping[str, Sequence[RateMinimum]]":
    """Parametrisation -> its sizes along the axis at the longest horizon. Raises DataError where none carries rates."""
    from analysis import lr_minima
    from analysis.load import DataError
    from experiments import rates

    found = lr_minima.families(lr_minima.minima(rates.read(workdir), LEVEL))
    lines = {name: [one for one in line if one.steps == line[-1].steps] for (name, each), line in found.items()
             if each == axis}  # fmt: skip
    if not set(lines) & set(CARRIED[axis]):
        raise DataError(f"{workdir}: no learning rates over {axis} under {' or '.join(CARRIED[axis])}")
    return lines


def _quantities(name: str, axis: str, line: "Sequence[RateMinimum]") -> Iterator[Quantity]:
    """How far the best rate moves, and what the smallest size's costs the largest."""
    from analysis.seed_lines import seed_lines
    from analysis.uncertainty.student import half_width
    from experiments.reproduce import over_seeds

    sizes = np.array([getattr(one, axis) for one in line], float)
    found = seed_lines(sizes, np.array([one.bests for one in line]), LEVEL)
    scale = f"{axis} {sizes[0]:g} to {sizes[-1]:g}, N {line[0].n_params:.2g} to {line[-1].n_params:.2g}"
    said = f"{name}: octaves of the best rate a doubling of the {axis}"
    ends = over_seeds.known(found.interval)
    if name in CARRIED[axis]:
        narrow = found.interval[1] - found.interval[0] <= 2 * STEP  # else the seeds say too little
        yield Quantity(said, 0.0, found.slope, ends, STEP if narrow else None, "stays", scale, STAYS)
    else:
        falls = FALLS if (name, axis) == ("standard", "width") else None
        yield Quantity(said, falls, found.slope, ends, None, "wide networks", scale, NARROW)
    lost = _lost(line)
    mean, half = float(lost.mean()), half_width(lost, LEVEL)
    yield Quantity(f"{name}: nats lost at {axis} {sizes[-1]:g} by the best rate of {axis} {sizes[0]:g}", None,
                   mean, over_seeds.known((mean - half, mean + half)), scale=scale)  # fmt: skip


def _lost(line: "Sequence[RateMinimum]") -> np.ndarray:
    """(seeds,) loss of the largest size at the best rate of the smallest, between the rates tried, above its least; nan
    beyond them."""
    base, last = line[0], line[-1]
    there = [np.interp(np.log(base.best), np.log(last.rates), own, np.nan, np.nan) for own in last.losses.T]
    return np.array(there) - np.nanmin(last.losses, axis=0)


def _best(lines: "Mapping[str, Sequence[RateMinimum]]", axis: str) -> "Drawing":
    """The best rate over size, with the lines of the seeds; dashed: it stays, or falls as theory has it."""
    from analysis.figures.chart import Axis, Drawing, Panel

    layers = []
    for (name, line), role in zip(lines.items(), ROLES, strict=False):
        layers += list(_of_name(name, axis, line, role))
    what = "stays" if axis == "depth" else "stays (muP, CompleteP), falls as 1 / width (standard)"
    caption = f"Bars and bands: {LEVEL:.0%} over seeds. Dashed: the rate {what}, from the smallest size on."
    panel = Panel(Axis(axis), Axis("best learning rate"), tuple(layers))
    return Drawing(f"best_rate_over_{axis}", f"The best learning rate over {axis}", caption, (panel,))


def _of_name(name: str, axis: str, line: "Sequence[RateMinimum]", role: str) -> "Iterator[Layer]":
    from analysis.figures.chart import Layer
    from analysis.seed_lines import seed_lines
    from experiments.reproduce import over_seeds

    sizes = np.array([getattr(one, axis) for one in line], float)
    inside = [k for k, one in enumerate(line) if not one.reason]
    values = np.array([(line[k].best, *line[k].interval) for k in inside]).T.reshape(3, -1)
    if inside:
        found = seed_lines(sizes, np.array([one.bests for one in line]), LEVEL)
        yield from over_seeds.layers(name, sizes[inside], values, found, role)
    power = 0.0 if name in CARRIED[axis] else FALLS
    if not line[0].reason and (axis == "width" or power == 0):
        there = line[0].best * (sizes / sizes[0]) ** power
        yield Layer("line", f"{name}, theory", sizes, there, role=role, mark="dashed")


PAPER = Paper(
    "Yang et al. 2022, Tensor Programs V: zero-shot hyperparameter transfer (arXiv:2203.03466); Dey et al. 2025, "
    "CompleteP (arXiv:2505.01618)",
    "Under muP the best learning rate of a narrow network is that of a wide one; under CompleteP over depth as well.",
    {
        axis: Figure(f"the best rate over {axis}, beside the standard parametrisation",
                     own=functools.partial(over, axis), sweeps=(SWEEP,))
        for axis in CARRIED
    },
)  # fmt: skip
