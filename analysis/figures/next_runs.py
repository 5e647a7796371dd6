"""The next runs over N and D among the candidates, and the expected interval as they are paid for."""

from collections.abc import Iterator

import numpy as np

from analysis.design import NextRuns
from analysis.figures.chart import Axis, Drawing, Layer, Panel
from analysis.fitting import Fit
from analysis.frontier import Frontier
from analysis.load import Runs

NAME = "next_runs"
POINTS = 40
WIDTH = {
    "loss": "half-width of the interval of ln loss",
    "exponent": "half-width of the interval of a",
    "choice": "half-width of the interval of gamma",
}


def build(found: NextRuns, runs: Runs, fit: Fit) -> Drawing:
    """The drawing of a design for the runs of a fit."""
    where = Panel(
        Axis("parameters N", si=True), Axis("tokens D", si=True), tuple(_places(found, runs, fit)), "where the runs lie"
    )
    x, y = Axis("FLOPs spent on new runs"), Axis(WIDTH[found.target.name])
    paid = Panel(x, y, tuple(_paid(found)), "what they are expected to tell")
    caption = (
        f"Chosen for the {found.target}: {found.after.runs} runs, the seeds of each in the CSV. Right: as runs are "
        f"added in the order of what they tell per FLOP; at the end {found.ratio:.2f} of the even grid."
    )
    return Drawing(NAME, "The next runs", caption, (where, paid))


def _places(found: NextRuns, runs: Runs, fit: Fit) -> Iterator[Layer]:
    each, chosen = found.candidates, np.flatnonzero(found.counts_J)
    yield Layer("points", "candidate", each.n_params_J, each.tokens_J, role="muted", mark="hollow")
    yield Layer("points", "run of the table", runs.numbers("n_params"), runs.numbers("tokens"), role="ink", mark="dot")
    even = np.flatnonzero(found.even_J)
    yield Layer("points", "even grid", each.n_params_J[even], each.tokens_J[even], role="approach1", mark="forecast")
    seeds = tuple(f"{count} seeds" if count > 1 else "" for count in found.counts_J[chosen].tolist())
    x, y = each.n_params_J[chosen], each.tokens_J[chosen]
    yield Layer("points", "next run", x, y, role="law", mark="star", labels=seeds)
    if isinstance(fit.frontier, Frontier):
        grid = np.geomspace(runs.numbers("flops").min(), each.flops_J.max(), POINTS)
        n, d = fit.frontier.n_opt(grid), fit.frontier.d_opt(grid)
        if np.isfinite(n).all():
            yield Layer("line", "frontier of the fit", n, d, role="frontier", frames=False)


def _paid(found: NextRuns) -> Iterator[Layer]:
    for name, path, role, mark in (
        ("even grid of equal cost", found.even_path, "approach1", "dashed"),
        ("design", found.path, "law", "solid"),
    ):
        steps = np.array(path[1:])  # the first has cost nothing
        if len(steps):
            yield Layer("line", name, steps[:, 0], steps[:, 1], role=role, mark=mark)
    ends = np.array([found.path[1][0], found.limits.budget]) if len(found.path) > 1 else np.ones(2)
    now = np.full(2, found.before.half_width)
    yield Layer("line", "without further runs", ends, now, role="muted", mark="thin")
