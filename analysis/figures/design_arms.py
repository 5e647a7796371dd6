"""A real study of a design: where the runs of each arm lie, the loss each foretells over C, and how surely."""

from collections.abc import Iterator, Sequence

import numpy as np

from analysis.design.arms import Arm
from analysis.design.result import Target
from analysis.figures.chart import Axis, Drawing, Layer, Panel
from analysis.load import Runs
from analysis.uncertainty import band

NAME = "design_arms"
POINTS = 40
BEYOND = 30.0  # times the largest C there was
LOOKS = (("muted", "thin", "dot"), ("law", "solid", "star"), ("approach1", "dashed", "hollow"))


def build(arms: Sequence[Arm], runs: Runs, target: Target, seen: Runs | None = None) -> Drawing:
    """The drawing of arms, the first of which has no further runs, for the `runs` there were."""
    top = float(runs["flops"].max())
    flops = np.geomspace(top / 4, top * BEYOND, POINTS)
    place, data = Axis("parameters N", si=True), Axis("tokens D", si=True)
    compute = Axis("compute C (FLOPs)")
    panels = (
        Panel(place, data, tuple(_places(arms, runs)), "where the runs lie"),
        Panel(compute, Axis("loss on the frontier"), tuple(_losses(arms, flops, seen)), "what each arm foretells"),
        Panel(compute, Axis("half-width of ln loss"), tuple(_widths(arms, flops)), "how surely"),
    )
    half = ", ".join(f"{one.name} {one.half_width:.4f}" for one in arms)
    caption = f"Half-widths of the {arms[0].fit.level:.0%} interval of the {target}: {half}."
    return Drawing(NAME, "A design beside an even grid of equal cost", caption, panels)


def _styled(arms: Sequence[Arm]) -> Iterator[tuple[Arm, tuple[str, str, str]]]:
    for k, one in enumerate(arms):
        yield one, LOOKS[min(k, len(LOOKS) - 1)]


def _places(arms: Sequence[Arm], runs: Runs) -> Iterator[Layer]:
    yield Layer("points", "run there was", runs.numbers("n_params"), runs.numbers("tokens"), role="ink", mark="dot")
    for one, (role, _, mark) in _styled(arms):
        if one.new is not None:
            yield Layer("points", one.name, one.new["n_params"], one.new["tokens"], role=role, mark=mark)


def _losses(arms: Sequence[Arm], flops: np.ndarray, seen: Runs | None) -> Iterator[Layer]:
    for one, (role, mark, _) in _styled(arms):
        low, high = band(np.log(one.front.loss_samples(flops)), one.fit.level)
        middle = one.front.loss(flops)
        yield Layer("band", f"{one.name}, interval", flops, middle, np.exp(low), np.exp(high), role=role, legend=False)
        yield Layer("line", one.name, flops, middle, role=role, mark=mark)
    if seen is not None:
        yield Layer("points", "run seen later", seen["flops"], seen["loss"], role="ink", mark="forecast")


def _widths(arms: Sequence[Arm], flops: np.ndarray) -> Iterator[Layer]:
    for one, (role, mark, _) in _styled(arms):
        low, high = band(np.log(one.front.loss_samples(flops)), one.fit.level)
        yield Layer("line", one.name, flops, (high - low) / 2, role=role, mark=mark)
