"""Kaplan et al. 2020, "Scaling laws for neural language models": loss over C, N and D, and N* over C."""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from experiments.reproduce.entry import Figure, Own, Paper, Quantity, Result

if TYPE_CHECKING:
    from analysis.figures.chart import Layer
    from analysis.isoflop import Isoflop
    from analysis.load import Runs

SLOPE = "slope of the paper"
PAPER_SCALE = "N 768 to 1.5e9 without embedding"
SLOPES = {"C": 0.050, "N": 0.076, "D": 0.103}  # of equation 1.3, with C_min, and of equation 1.5
N_OPT = 0.73
STEEP = (
    "far above the irreducible loss of the text every local slope is steeper: these models end a nat and more above "
    "what larger ones reach, and a power law without E describes a short range only"
)
LOCAL = (
    "a local slope of small models: embedding and head, which the paper does not count, are most of their N (the other "
    "count stands beside it), and rates and warm-up follow the size here"
)
COUNTS = {"without embedding and head": ("n_non_embedding", "non_embedding"), "with them": ("n_params", "flops")}


def losses(own: Own) -> Result:
    """Figure 1: the loss over compute, parameters and data, with the slopes of the paper."""
    from analysis.figures import loss_over_flops
    from analysis.figures.chart import Axis, Drawing, Layer, Panel
    from analysis.forecasting import naive
    from experiments.reproduce import own_study

    plain = own_study.study(own.workdirs["text"], own.bootstrap)
    study = own_study.study(
        own.workdirs["text"], own.bootstrap, law="kaplan", params_convention="n_non_embedding",
        flops_convention="non_embedding",
    )  # fmt: skip
    law, scale = study.require_fit(), own_study.scale_of(study)
    gamma = naive(plain.runs, float(plain.runs["flops"].max())).exponent
    why = (PAPER_SCALE, scale, STEEP)
    quantities = [Quantity("L ~ C^-gamma, best of each budget", SLOPES["C"], gamma, None, 0.01, *why)]
    for axis in ("N", "D"):
        name = f"alpha_{axis}"
        found = (law.coefficients[name], law.intervals.get(name))
        quantities.append(Quantity(f"{name}, N without embedding", SLOPES[axis], *found, None, *why))
    runs, units = study.runs, study.units
    panels = [own_study.with_layers(loss_over_flops.build(plain).panels[0], _slope(plain.runs, "flops", SLOPES["C"]))]
    for axis, column, label in (
        ("N", "n_params", "parameters N without embedding"),
        ("D", "tokens", f"{units.data} D"),
    ):
        points = Layer(
            "points", "run", runs[column].astype(float), runs["loss"], mark="dot", run_ids=tuple(runs.names())
        )
        layers = (points, _slope(runs, column, SLOPES[axis], legend=False))
        panels.append(Panel(Axis(label, si=True), Axis(f"loss ({units.loss})"), layers))
    title = "Loss over compute, parameters and data (Kaplan et al. 2020, figure 1)"
    caption = "Dashed: the slopes of the paper, through the middle of the points."
    drawing = loss_over_flops.build(plain)
    return Result(
        (Drawing("losses", title, f"{drawing.caption} {caption}", tuple(panels), drawing.colours),), tuple(quantities)
    )


def optimum(own: Own) -> Result:
    """Figure 14: N* over C, with and without what the paper does not count."""
    from analysis.figures import frontier_scaling
    from analysis.figures.chart import Drawing
    from experiments.reproduce import own_study

    panels, quantities = [], []
    for said, (params, flops) in COUNTS.items():
        study = own_study.study(own.workdirs["text"], own.bootstrap, params_convention=params, flops_convention=flops)
        scale = own_study.scale_of(study)
        for approach, part in (("IsoFLOP minima", study.isoflop), ("fitted law", study.fit and study.fit.frontier)):
            name, why = f"N* ~ C^a {said}, {approach}", (PAPER_SCALE, scale, LOCAL)
            quantities.append(Quantity(name, N_OPT, *own_study.exponent(part), None, *why))
        panel = frontier_scaling.build(study).panels[0]
        if study.isoflop is not None:
            panel = own_study.with_layers(panel, _through(study.compute_range(2), study.isoflop))
        panels.append(dataclasses.replace(panel, title=f"N and C {said}"))
    caption = "Dashed: the slope .73 of Kaplan et al. through the middle of approach 2."
    title = "Compute-optimal size, by what N and C count (Kaplan et al. 2020, figure 14)"
    return Result((Drawing("optimum", title, caption, tuple(panels)),), tuple(quantities))


def _slope(runs: "Runs", column: str, slope: float, legend: bool = True) -> "Layer":
    """The paper's slope of the loss through the geometric middle of the points."""
    from analysis.figures.chart import Layer

    x, y = runs[column].astype(float), runs["loss"]
    ends = np.array([x.min(), x.max()])
    line = np.exp(np.log(y).mean() - slope * (np.log(ends) - np.log(x).mean()))
    return Layer("line", SLOPE, ends, line, role="muted", mark="dashed", frames=False, legend=legend)


def _through(ends: np.ndarray, found: "Isoflop") -> "Layer":
    """The paper's slope of N* through the middle of approach 2."""
    from analysis.figures.chart import Layer

    middle = float(np.sqrt(ends[0] * ends[1]))
    line = found.n_opt(middle) * (ends / middle) ** N_OPT
    return Layer("line", SLOPE, ends, line, role="muted", mark="dashed", frames=False)


PAPER = Paper(
    "Kaplan et al. 2020, Scaling laws for neural language models (arXiv:2001.08361)",
    "Loss is a power of compute, parameters and data (C^-.050, N^-.076, D^-.095 to .103), and N* ~ C^.73.",
    {
        "1": Figure("loss over compute, parameters and data", own=losses, sweeps=("text",)),
        "14": Figure("N* over C with and without embedding and head", own=optimum, sweeps=("text",)),
    },
)
