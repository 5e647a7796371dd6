"""Porian et al. 2024, "Resolving discrepancies in compute-optimal scaling": from Kaplan's exponent to Chinchilla's."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from experiments.reproduce.entry import Figure, Own, Paper, Published, Quantity, Result
from experiments.reproduce.papers import porian_own
from experiments.reproduce.recipes.porian import STAGES

if TYPE_CHECKING:
    from analysis.figures.chart import Drawing, Layer, Panel
    from analysis.isoflop import Isoflop
    from analysis.load import Runs
    from analysis.study import Study

FILES = tuple(f"porian/{name}.csv" for name in ("isoflop_points", "optimal_pairs", "published_bootstrap_ci"))
EXPONENTS = {
    "RefinedWeb": (0.83377, 0.70090, 0.60353, 0.57142, 0.49703),
    "OpenWebText2": (0.86999, 0.69999, 0.60161, 0.56889, 0.51841),
}
NOISE = {"RefinedWeb": 0.002, "OpenWebText2": 0.01}  # what they add to every loss, in nats per token
NEAR = {"RefinedWeb": 0.003, "OpenWebText2": 0.004}  # by which medians of noisy minima differ from minima
LEVEL = 0.95  # of their intervals
PAPER_SCALE = "C 1.25e16 to 2.56e19"
ROLES = ("ink", "approach1", "approach2", "approach3", "warning")
PRINTED = {"Kaplan et al.: .88": 0.88, "Hoffmann et al.: .50": 0.50}
ASIDE = 0.12  # of two marks of one setting from each other

NEITHER, WHOLE, ATTENTION = "head neither in N nor in C", "embedding and head counted", "attention counted too"
COUNTS: Mapping[str, tuple[str, str]] = {
    NEITHER: ("n_non_embedding", "non_embedding"),
    WHOLE: ("n_params", "flops"),
    ATTENTION: ("n_effective", "effective"),
}
TUNED = {NEITHER: 0.70806, WHOLE: 0.49703, ATTENTION: 0.50407}  # RefinedWeb, tuned; the first with long warm-up
METHODS = {"parabola": "parabolas", "log_parabola": "parabolas of ln loss", "akima": "Akima's interpolation"}
SMALL = (
    "these budgets are a millionth of theirs or less: a is a local slope, the embedding is counted with the head, and "
    "most of each model is one or the other"
)


@dataclasses.dataclass(frozen=True)
class Step:
    """One setting of a data set: their minima and interval, and minima found here in their points."""

    corpus: str
    setting: str
    pairs: "Runs"
    theirs: float
    interval: tuple[float, float]
    here: "Isoflop"


def staircase(published: Published) -> Result:
    """Figure 1: the exponent of N* in C falls with each mend, by their minima and by ours of their points."""
    from analysis.figures.chart import Axis, Drawing, Panel
    from experiments.reproduce import tables

    steps = [_step(published, corpus, setting) for corpus in EXPONENTS for setting in tables.PORIAN_SETTINGS]
    order = tuple(tables.PORIAN_SETTINGS)
    quantities = [one for step in steps for one in _quantities(step, EXPONENTS[step.corpus][order.index(step.setting)])]
    by_corpus = {corpus: [step for step in steps if step.corpus == corpus] for corpus in EXPONENTS}
    compute, sizes = Axis("training compute C (FLOPs)"), Axis("optimal parameters N*", si=True)
    drawings = (
        Drawing("staircase", "From Kaplan's exponent to Chinchilla's (Porian et al. 2024, figure 1)",
                "Each setting mends one thing more: head counted, warm-up short, cosine to the horizon, rates tuned.",
                tuple(_stairs(corpus, own) for corpus, own in by_corpus.items())),
        Drawing("minima", "N* over C under five settings (Porian et al. 2024, figure 1)",
                "Points: Akima minima found here, bars of 95 %. Dashed: the published lines, through their minima.",
                tuple(Panel(compute, sizes, tuple(_minima(own)), corpus) for corpus, own in by_corpus.items())),
    )  # fmt: skip
    dropped = [f"{step.corpus}, {step.setting}: {note}" for step in steps for note in step.here.notes if "edge" in note]
    return Result(drawings, tuple(quantities), tuple(dropped))


def conventions(own: Own) -> Result:
    """What can be chosen after the fact: which counts serve as N and C, and how the minima are found."""
    from experiments.reproduce import own_study

    studies = {name: _counted(own, *counts) for name, counts in COUNTS.items()}
    whole, scales = studies[WHOLE], {name: own_study.scale_of(study) for name, study in studies.items()}
    found: dict[str, Quantity] = {}
    for name, study in studies.items():
        front = study.require_fit().frontier
        a, inside = (front.a, front.intervals.get("a")) if front is not None else (None, None)
        found[f"the law, {name}"] = Quantity(f"a by the law, {name}", TUNED[name], a, inside, None, PAPER_SCALE,
                                             scales[name], SMALL)  # fmt: skip
    for method, said in METHODS.items():
        flat = _minima_by(whole, method, own.bootstrap)
        a, inside = (flat.a, flat.a_interval) if flat is not None else (None, None)
        found[said] = Quantity(f"a by {said}, {WHOLE}", None, a, inside, scale=scales[WHOLE])
    drawn = {name: _exponents(study) for name, study in studies.items()}
    first, second = (found[f"the law, {name}"].here for name in (NEITHER, WHOLE))
    off = first - second if first is not None and second is not None else None
    inside = own_study.interval(drawn[NEITHER] - drawn[WHOLE], whole.level)
    fall = Quantity("what counting embedding and head takes off a", TUNED[NEITHER] - TUNED[WHOLE], off, inside, None,
                    PAPER_SCALE, scales[WHOLE], SMALL)  # fmt: skip
    notes = ("warm-up, cosine and rates are of the recipe, not of the analysis",)
    return Result((_forest(found, whole.level),), (*found.values(), fall), notes)


def _forest(found: Mapping[str, Quantity], level: float) -> "Drawing":
    """The exponents of own runs as spans, those of the paper hollow."""
    from analysis.figures.chart import Axis, Drawing, Layer, Panel

    names = tuple(name for name in reversed([*found]) if found[name].here is not None)
    ours = np.array([(found[name].here, *(found[name].interval or (np.nan, np.nan))) for name in names], dtype=float)
    known = [(found[name].paper, place) for place, name in enumerate(names) if found[name].paper is not None]
    layers = (
        Layer("spans", "own runs", ours[:, 0], np.arange(len(names)), ours[:, 1], ours[:, 2], role="law", mark="dot"),
        Layer("points", "Porian et al., tuned", *np.array(known, dtype=float).T, mark="hollow"),
    )
    panel = Panel(Axis("a of N* ~ C^a", log=False), Axis("", categories=names), layers)
    caption = f"The same runs, counted and read in several ways; intervals hold {level:.0%} of the resamples."
    return Drawing("conventions", "Own runs under several conventions (after Porian et al. 2024)", caption, (panel,))


def _step(published: Published, corpus: str, setting: str) -> Step:
    from analysis.isoflop import isoflop
    from analysis.lines import frontier_line
    from experiments.reproduce import tables

    folder = published.folder
    pairs, points = (read(folder, corpus, setting) for read in (tables.porian_minima, tables.porian_points))
    noise = NOISE[corpus] / float(np.median(points["loss"]))
    here = isoflop(points, "akima", bootstrap=published.bootstrap, level=LEVEL, noise=noise, weights="equal")
    theirs = frontier_line(pairs["flops"], pairs["n_params"])[1]
    return Step(corpus, setting, pairs, theirs, tables.porian_interval(folder, corpus, setting), here)


def _quantities(step: Step, exponent: float) -> Iterator[Quantity]:
    name, kept = f"{step.corpus}, {step.setting}", sum(not group.edge for group in step.here.groups)
    yield Quantity(f"a, {name}: from their minima", exponent, step.theirs, None, 1e-4, PAPER_SCALE,
                   f"{len(step.pairs)} budgets")  # fmt: skip
    yield Quantity(f"a, {name}: Akima minima of their points", exponent, step.here.a, step.here.a_interval,
                   NEAR[step.corpus], PAPER_SCALE, f"{kept} budgets")  # fmt: skip


def _stairs(corpus: str, steps: list[Step]) -> "Panel":
    from analysis.figures.chart import Axis, Layer, Panel

    place, ends = np.arange(len(steps), dtype=float), np.array([-0.5, len(steps) - 0.5])
    here, theirs = np.array([step.here.a for step in steps]), np.array([step.theirs for step in steps])
    bars = np.array([step.here.a_interval or (np.nan, np.nan) for step in steps]).T
    layers = [
        Layer("line", "stairs", place - ASIDE, here, role="law", mark="thin", legend=False),
        Layer("points", "Akima minima found here, 95 %", place - ASIDE, here, *bars, role="law", mark="dot"),
        Layer("points", "published, 95 %", place + ASIDE, theirs, *np.array([step.interval for step in steps]).T,
              mark="hollow"),
    ]  # fmt: skip
    for (name, value), role in zip(PRINTED.items(), ("approach1", "approach2"), strict=True):
        layers.append(Layer("line", name, ends, np.full(2, value), role=role, mark="dashed"))
    settings = tuple(step.setting for step in steps)
    return Panel(Axis("", categories=settings), Axis("a of N* ~ C^a", log=False), tuple(layers), corpus)


def _minima(steps: list[Step]) -> "Iterator[Layer]":
    from analysis.figures.chart import Layer
    from analysis.isoflop.result import interior
    from analysis.lines import frontier_line

    for step, role in zip(steps, ROLES, strict=True):
        kept = list(interior(step.here))
        flops = np.array([group.budget for group in kept])
        bars = np.array([group.n_opt_interval or (np.nan, np.nan) for group in kept]).T
        places = np.array([group.n_opt for group in kept])
        start, slope = frontier_line(step.pairs["flops"], step.pairs["n_params"])
        ends = step.pairs["flops"][[0, -1]]
        line = np.exp(start) * ends**slope
        yield Layer("line", "published", ends, line, role=role, mark="dashed")
        yield Layer("points", step.setting, flops, places, *bars, role=role, mark="dot")


def _counted(own: Own, params: str, flops: str) -> "Study":
    from experiments.reproduce import own_study

    workdir = own.workdirs["text"]
    return own_study.study(workdir, own.bootstrap, params_convention=params, flops_convention=flops)


def _exponents(study: "Study") -> np.ndarray:
    """(R,) a of every resample; all counts draw the same runs."""
    from analysis.frontier import Frontier, exponent_of_n

    front = study.require_fit().frontier
    if not isinstance(front, Frontier) or not front.samples:
        return np.zeros(0)
    return exponent_of_n(front.samples, front.compute.p)


def _minima_by(study: "Study", method: str, bootstrap: int) -> "Isoflop | None":
    """Approach 2 by a method; None where the runs have no minima to read."""
    from analysis.isoflop import isoflop
    from analysis.load import DataError

    try:
        return isoflop(study.runs, method, bootstrap=bootstrap, level=study.level, weights="equal", fitted=study.fit)
    except DataError:
        return None


PAPER = Paper(
    "Porian et al. 2024, Resolving discrepancies in compute-optimal scaling of language models (arXiv:2406.19146)",
    "Kaplan's exponent .88 becomes Chinchilla's .50 by counting the head, a short warm-up, and tuned optimisers.",
    {
        "1": Figure(
            "the staircase of the exponent, five settings",
            own=porian_own.staircase,
            sweeps=tuple(f"porian_{stage}" for stage in STAGES),
            published=staircase,
            files=FILES,
        ),
        "conventions": Figure("own runs under the conventions of the analysis", own=conventions, sweeps=("text",)),
    },
)
