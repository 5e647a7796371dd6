"""Hoffmann et al. 2022, "Training compute-optimal large language models": three approaches to N* and D* over C."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from experiments.reproduce.entry import Figure, Own, Paper, Published, Quantity, Result

if TYPE_CHECKING:
    from analysis.figures.chart import Layer
    from analysis.study import Study

PAPER_SCALE = "C 6e18 to 3e21, N 7e7 to 1.6e10"
LOCAL = (
    "the exponent of so small and so few budgets is a local slope: with alpha != beta fitted here and models that are "
    "mostly embedding and head, N* grows at another power of C than far above"
)
TEXTS = (
    "the irreducible loss and the exponents of loss over N and over D belong to the text and its tokens: a few million "
    "words of presidential messages in 1024 byte pairs are not MassiveText in 32,000"
)


def approaches(own: Own) -> Result:
    """Figures 2 to 4: N* and D* by the envelope, the IsoFLOP minima and the fitted law."""
    from analysis.figures import frontier_scaling
    from analysis.published import HOFFMANN_EXPONENTS
    from experiments.reproduce import own_study

    study = own_study.study(own.workdirs["text"], own.bootstrap)
    found = {"approach 1": study.envelope, "approach 2": study.isoflop}
    found["approach 3"] = study.fit.frontier if study.fit else None
    scale, quantities = own_study.scale_of(study), []
    for name, part in found.items():
        here = own_study.exponent(part)
        why = (PAPER_SCALE, scale, LOCAL)
        quantities.append(Quantity(f"N* ~ C^a, {name}", HOFFMANN_EXPONENTS[name], *here, None, *why))
    drawing = frontier_scaling.build(study)
    panels = tuple(
        own_study.with_layers(panel, *_published_line(study, what))
        for panel, what in zip(drawing.panels, ("n", "d"), strict=False)
    )
    title = "N* and D* over C by three approaches (Hoffmann et al. 2022, figures 2 to 4)"
    return Result((own_study.named(drawing, title, panels=panels),), tuple(quantities), tuple(study.runs.notes))


def profiles(own: Own) -> Result:
    """Figure 3: loss over N at each budget, parabolas and their minima."""
    from analysis.figures import isoflop_curves
    from experiments.reproduce import own_study

    study = own_study.study(own.workdirs["text"], own.bootstrap)
    drawing = own_study.named(isoflop_curves.build(study), "IsoFLOP profiles (Hoffmann et al. 2022, figure 3)")
    flat = study.isoflop
    quantities = []
    if flat is not None:
        interior = sum(not group.edge for group in flat.groups)
        here = interior / len(flat.groups)
        quantities = [Quantity("share of budgets with an interior minimum", 1.0, here, tolerance=0.0,
                               paper_scale=PAPER_SCALE, scale=own_study.scale_of(study),
                               why="the sizes tried do not reach beyond N* at every budget")]  # fmt: skip
    return Result((drawing,), tuple(quantities))


def surface(own: Own) -> Result:
    """Figure 4: the fitted law over N and D of one's own runs."""
    from analysis.figures import surface as drawn
    from experiments.reproduce import own_study

    study = own_study.study(own.workdirs["text"], own.bootstrap)
    law, scale = study.require_fit(), own_study.scale_of(study)
    from analysis.published import HOFFMANN_2022

    quantities = tuple(
        Quantity(name, HOFFMANN_2022.coefficients[name], law.coefficients[name], law.intervals.get(name), None,
                 PAPER_SCALE, scale, TEXTS)
        for name in ("E", "alpha", "beta")
    )  # fmt: skip
    drawing = own_study.named(drawn.build(study), "Loss over N and D (Hoffmann et al. 2022, figure 4)")
    return Result((drawing,), quantities)


def points(published: Published) -> Result:
    """Figure 4 from its own points, as they were read off the plot by Besiroglu et al. 2024."""
    from analysis.figures import surface as drawn
    from analysis.study import make_study
    from experiments.reproduce import own_study, tables

    runs = tables.chinchilla(published.folder)
    study = make_study(runs, options=tables.options(published.bootstrap))
    law = study.require_fit()
    assert law.frontier is not None
    scale = f"{len(runs)} points"
    known = {"alpha": 0.347310, "beta": 0.367172, "E": 1.817218}
    quantities = [
        Quantity(f"{name} of the global optimum", value, law.coefficients[name], law.intervals.get(name), 5e-4,
                 "240 points", scale)
        for name, value in known.items()
    ]  # fmt: skip
    quantities += [
        Quantity("objective of the global optimum", 0.0010182740178, law.objective["value"], tolerance=1e-10,
                 paper_scale="240 points", scale=scale),
        Quantity("a = beta / (alpha + beta)", 0.5139, law.frontier.a, law.frontier.intervals.get("a"), 5e-4,
                 "240 points", scale),
        Quantity("a as published by approach 3", 0.46, law.frontier.a, law.frontier.intervals.get("a"), None,
                 "table 2", scale, "the published fit is no optimum of these points (Besiroglu et al. 2024)"),
    ]  # fmt: skip
    drawing = own_study.named(drawn.build(study), "Loss over N and D: the points of Hoffmann et al. 2022, figure 4")
    return Result((drawing,), tuple(quantities))


def _published_line(study: "Study", what: str) -> "Iterator[Layer]":
    """N* or D* of the published law at the budgets here, dashed: C = 6 N D."""
    from analysis.figures.chart import Layer
    from analysis.frontier import SIX_N_D, Frontier
    from analysis.published import HOFFMANN_2022

    front = Frontier({**HOFFMANN_2022.coefficients, "outer": 1.0}, SIX_N_D)
    grid = study.compute_range(40)
    line = front.n_opt(grid) if what == "n" else front.d_opt(grid)
    yield Layer(
        "line", "Hoffmann et al., extrapolated", grid, np.asarray(line), role="muted", mark="dashed", frames=False
    )


PAPER = Paper(
    "Hoffmann et al. 2022, Training compute-optimal large language models (arXiv:2203.15556)",
    "Parameters and data grow alike with compute: N* ~ C^.50, C^.49, C^.46 by three approaches.",
    {
        "2-4": Figure("N* and D* over C by three approaches", own=approaches, sweeps=("text",)),
        "3": Figure("loss over N at fixed compute", own=profiles, sweeps=("text",)),
        "4": Figure(
            "the fitted law over N and D",
            own=surface,
            sweeps=("text",),
            published=points,
            files=("epoch_chinchilla/svg_extracted_data.csv",),
        ),
    },
)
