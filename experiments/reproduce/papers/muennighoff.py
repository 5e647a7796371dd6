"""Muennighoff et al. 2023, "Scaling data-constrained language models": what tokens are worth when they are repeated."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments.reproduce.entry import Figure, Own, Paper, Published, Quantity, Result

if TYPE_CHECKING:
    from analysis.figures.chart import Drawing, Layer, Panel
    from analysis.fitting import Fit
    from analysis.load import Runs
    from experiments.reproduce.repeats import Family

FILE = "datablations/parametric_fit_points.csv"
SCALE = "N 7e6 to 8.7e9, U 1e8 to 1.8e11"
POINT = {"n_params": 6.34e9, "tokens": 242e9, "unique_tokens": 25e9}
AT_POINT = 2.2256440889984477
SURFACE = ("E", "A", "B", "alpha", "beta")  # what the paper fixed before it fitted R_D and R_N
LOW_SURFACE = (
    "the paper fixed a surface E, A, B, alpha, beta first, and that surface lies below every run of a single epoch in "
    "this table; fitted on top of it, R_D and R_N only serve to make up for the difference"
)
FREE = (
    "here all seven coefficients are free, alpha and beta unlike each other, on the runs of ten epochs at most; the "
    "paper fitted two on top of a surface, to runs of its own choice"
)
FEW = 10.0  # epochs: beyond, the loss of some runs rises again, which the law cannot follow
SAME_COMPUTE = ((2.81e9, 5.5e10), (4.25e9, 8.4e10), (8.67e9, 1.78e11))  # N and D that were trained at several U
SAME_UNIQUE = (1e8, (1.41e7, 8.27e7, 1.46e8, 2.2e8, 6.19e8))  # U and N that were trained for many epochs
AGAIN = 4.0  # epochs, up to which the paper calls repeats nearly as good as fresh tokens
SMALL = (
    "hundreds of thousands of unique tokens, not billions, which models of one parameter or less a token come to know "
    "by heart: what is repeated is used up sooner, and the law has no term for a loss that rises again"
)
LEVEL, DRAWS = 0.9, 1000  # of the interval of a median
HELD_OUT = "held out"  # from the fit: the runs of the fewest unique tokens
LEAST = 100  # resamples, which serve at smoke scale: a thousand take a minute


def repeated(published: Published) -> Result:
    """Loss over epochs, at the same compute and for the same unique tokens, beside the published law."""
    from analysis.figures.chart import Axis, Drawing, Panel, scale_of
    from experiments.reproduce import tables
    from experiments.reproduce.repeats import Family

    runs = tables.repetition(published.folder)
    fitted = _free(published.folder, published.bootstrap)
    (unique, sizes), first = SAME_UNIQUE, SAME_COMPUTE[0][0]
    large = [Family.of(runs, n, ("tokens", d), n == first) for n, d in SAME_COMPUTE]
    layers = [layer for one in large for layer in _family(one, fitted)]
    small = [layer for n in sizes for layer in _family(Family.of(runs, n, ("unique_tokens", unique)), fitted)]
    x, y = Axis("epochs D / U"), Axis("loss (nats/token)", log=False)
    panels = (
        Panel(x, y, tuple(layers), "N and D the same, U falls"),
        Panel(x, Axis("loss (nats/token)"), tuple(small), f"U {unique:.0e}, D grows"),
    )
    caption = "Points: runs, with the standard deviation between seeds."
    colours = scale_of("parameters N", np.array([n for n, _ in SAME_COMPUTE] + list(sizes)), si=True)
    title = "Loss over epochs (Muennighoff et al. 2023)"
    return Result((Drawing("loss_over_epochs", title, caption, panels, colours),), (_law_value(),))


def constants(published: Published) -> Result:
    """R_D and R_N again: on top of the published surface, and with all seven coefficients free."""
    from analysis.published import MUENNIGHOFF_2023
    from experiments.reproduce import repeats, tables

    law = MUENNIGHOFF_2023.coefficients
    runs = tables.repetition(published.folder)
    on_top = repeats.fit(runs, published.bootstrap, {name: law[name] for name in SURFACE})
    free = _free(published.folder, published.bootstrap)
    quantities = [_law_value(), *_constants("published surface, all runs", on_top, f"{len(runs)} runs", LOW_SURFACE)]
    quantities += _constants("all seven free", free, f"{free.n_points} runs", FREE)
    quantities.append(_worth_again(free, f"{free.n_points} runs", FREE))
    once = runs.select(runs["epochs"] < repeats.ONCE, "read again")
    above = np.log(once["loss"] / repeats.loss(law, once.columns))
    quantities += [
        Quantity("objective of the published constants, all runs", None, _objective(runs, law), scale="296 runs"),
        Quantity("objective at the optimum, published surface", None, on_top.objective["value"], scale="296 runs"),
        Quantity("ln loss above the published law, single epoch", None, float(np.median(above)),
                 (float(above.min()), float(above.max())), scale=f"median and range of {len(once)} runs"),
    ]  # fmt: skip
    few = runs["epochs"] <= FEW
    return Result((repeats.worth(runs, free, few, f"more than {FEW:g} epochs, not fitted"),), tuple(quantities))


def own_runs(own: Own) -> Result:
    """Loss over epochs of own runs at several U and N, with the law through all but those of the fewest unique tokens,
    what fresh tokens would give, and what a repeated token is worth."""
    from experiments.reproduce import repeats

    runs = _own(own.workdirs["repeated"])
    again = runs["epochs"] > repeats.ONCE
    subsets = np.unique(runs["unique_tokens"][again])
    fewest = again & (runs["unique_tokens"] == subsets[0]) & (len(subsets) > 1)
    used = runs.select(~fewest, HELD_OUT)
    resamples = min(own.bootstrap, LEAST) if own.scale == "smoke" else own.bootstrap
    free = repeats.fit(used, resamples)
    sizes = f"N {runs['n_params'].min():.2g} to {runs['n_params'].max():.2g}"
    scale = f"{sizes}, U {subsets[int(fewest.any()) :].min():.2g} to {used['unique_tokens'].max():.2g}"
    quantities = [*_constants("all seven free", free, scale, SMALL)]
    quantities += [_worth_again(free, scale, SMALL), _dearer(used, scale)]
    quantities += [_missed(runs.select(fewest, "fitted"), free)] if fewest.any() else []
    panels = tuple(_panel(runs, free, unique, unique == subsets[0] and fewest.any()) for unique in subsets[::-1])
    drawings = _drawing(runs, panels), repeats.worth(runs, free, ~fewest, HELD_OUT)
    return Result(drawings, tuple(quantities), free.notes)


def _own(workdir: Path) -> "Runs":
    """The runs of a sweep, with how often each read its tokens. Raises DataError where none read any twice."""
    from analysis.load import DataError, load
    from experiments.reproduce.repeats import ONCE

    runs = load(workdir, needs=("n_params", "tokens", "unique_tokens", "loss"))
    runs = runs.with_columns(epochs=runs["tokens"] / runs["unique_tokens"])
    if (runs["epochs"] <= ONCE).all():
        raise DataError(f"{workdir}: no run read its tokens twice; allowed: runs with train.unique_examples")
    return runs


def _constants(said: str, found: "Fit", scale: str, why: str) -> Iterator[Quantity]:
    from analysis.published import MUENNIGHOFF_2023

    for name in ("R_D", "R_N"):
        there, here = MUENNIGHOFF_2023.coefficients[name], found.coefficients[name]
        yield Quantity(f"{name}*, {said}", there, here, found.intervals.get(name), None, SCALE, scale, why)


def _worth_again(found: "Fit", scale: str, why: str) -> Quantity:
    from analysis.published import MUENNIGHOFF_2023
    from experiments.reproduce.repeats import share

    there, here, *ends = (
        float(share(np.array(AGAIN), r_d))
        for r_d in (MUENNIGHOFF_2023.coefficients["R_D"], found.coefficients["R_D"], *found.intervals.get("R_D", ()))
    )
    within = (ends[0], ends[1]) if ends else None
    return Quantity(f"worth of a token after {AGAIN:g} epochs", there, here, within, None, SCALE, scale, why)


def _dearer(runs: "Runs", scale: str) -> Quantity:
    """Ln loss after AGAIN epochs less that of as many fresh tokens, the median over pairs of one size and seed: a run
    whose rate was too high says nothing of repeats."""
    from analysis.published import MUENNIGHOFF_2023
    from analysis.uncertainty import percentile
    from experiments.reproduce import repeats

    gaps = _gaps(runs)
    middle, within = None, None
    if len(gaps):
        drawn = np.random.default_rng(0).choice(gaps, (DRAWS, len(gaps)))
        middle, within = float(np.median(gaps)), percentile(np.median(drawn, axis=1), LEVEL)
    n, tokens = (np.full(2, value) for value in SAME_COMPUTE[0])
    there = {"n_params": n, "tokens": tokens, "unique_tokens": tokens / (AGAIN, 1.0)}
    again, fresh = np.log(repeats.loss(MUENNIGHOFF_2023.coefficients, there))
    where = f"law at N {n[0]:.3g}, D {tokens[0]:.2g}"
    name, said = f"ln loss of {AGAIN:g} epochs above fresh tokens", f"{scale}, {len(gaps)} pairs"
    return Quantity(name, float(again - fresh), middle, within, None, where, said, SMALL)


def _gaps(runs: "Runs") -> np.ndarray:
    """(n,) ln loss of the runs of AGAIN epochs less that of the one of equal size, D and seed on fresh tokens."""
    columns = np.column_stack([runs.numbers(name) for name in ("n_params", "tokens", "seed")])
    once, own = runs["epochs"] == 1, np.isclose(runs["epochs"], AGAIN, rtol=0.02)
    fresh, again = (
        list(zip(map(tuple, columns[rows].tolist()), np.log(runs["loss"][rows]), strict=True)) for rows in (once, own)
    )
    there = dict(fresh)
    return np.array([value - there[key] for key, value in again if key in there])


def _missed(left: "Runs", found: "Fit") -> Quantity:
    """How far the law is from runs of fewer unique tokens than it was fitted to."""
    from experiments.reproduce.own_study import interval

    inputs = {name: left[name] for name in ("n_params", "tokens", "unique_tokens")}
    error = float(np.median(np.abs(np.log(found.predict(**inputs) / left["loss"]))))
    within = None
    if found.samples:
        draws = np.median(np.abs(np.log(found.predict_samples(**inputs) / left["loss"])), axis=1)
        within = interval(draws, found.level)
    unique = f"U {left['unique_tokens'].max():.2g}, {len(left)} runs"
    return Quantity("median error of ln loss at the fewest unique tokens", None, error, within, scale=unique)


def _panel(runs: "Runs", fitted: "Fit", unique: float, left_out: bool) -> "Panel":
    """Loss over epochs at one U: repeated runs, runs of as many fresh tokens, and the law with and without repeats."""
    from analysis.figures.chart import Axis, Panel
    from analysis.published import MUENNIGHOFF_2023
    from experiments.reproduce.repeats import FITTED, ONCE, Family

    theirs = fitted.coefficients | {name: MUENNIGHOFF_2023.coefficients[name] for name in ("R_D", "R_N")}
    layers: list[Layer] = []
    sizes = np.unique(runs["n_params"])
    for n in sizes:
        one = Family.of(runs, n, ("unique_tokens", unique), n == sizes[0])
        fresh = runs.select((runs["n_params"] == n) & (runs["epochs"] < ONCE), "read again")
        new = Family(fresh, n, ("unique_tokens", unique), n == sizes[0])
        within = (fresh["tokens"] >= unique) & (fresh["tokens"] <= one.runs["tokens"].max())
        layers += new.points("as many fresh tokens", "dot", within, fresh["tokens"] / unique)
        layers += one.band(fitted)
        every = np.ones(len(one.runs), bool)
        layers += one.points("runs", "star", every & ~left_out)
        layers += one.points(f"runs, {HELD_OUT}", "hollow", every & left_out)
        layers.append(one.line(FITTED, fitted.coefficients))
        layers.append(one.line("the same, published R_D and R_N", theirs, "dashed"))
        layers.append(one.line("the same, every token fresh", fitted.coefficients, "thin", fresh=True))
    title = f"U {unique:,.0f} tokens"
    return Panel(Axis("epochs D / U"), Axis("loss (nats/token)", log=False), tuple(layers), title)


def _drawing(runs: "Runs", panels: tuple["Panel", ...]) -> "Drawing":
    from analysis.figures.chart import Drawing, scale_of

    colours = scale_of("parameters N", runs["n_params"], si=True)
    caption = (
        "Points: the mean over seeds, bars their standard deviation. Bands: 90 % of the law's resamples. Held out from "
        "the fit: the fewest unique tokens."
    )
    title = "Loss over epochs of the same tokens, own runs (after Muennighoff et al. 2023)"
    return Drawing("own_loss_over_epochs", title, caption, panels, colours)


@lru_cache(maxsize=1)
def _free(folder: Path, bootstrap: int):
    """All seven coefficients, on the runs of few epochs; both figures read it."""
    from experiments.reproduce import repeats, tables

    runs = tables.repetition(folder)
    return repeats.fit(runs.select(runs["epochs"] <= FEW, f"above {FEW:g} epochs"), bootstrap)


def _family(one: "Family", fitted: "Fit") -> "Iterator[Layer]":
    """The runs of one N and one D (or U) over epochs, and the published and the fitted law along them."""
    from analysis.published import MUENNIGHOFF_2023
    from experiments.reproduce.repeats import FITTED

    few = one.runs["epochs"] <= FEW
    yield from one.points("runs", "dot", few)
    yield from one.points(f"runs of more than {FEW:g} epochs, not fitted", "hollow", ~few)
    yield one.line("published law", MUENNIGHOFF_2023.coefficients, "dashed")
    yield one.line(FITTED, fitted.coefficients)


def _law_value() -> Quantity:
    from analysis.published import MUENNIGHOFF_2023
    from experiments.reproduce.repeats import loss

    here = float(loss(MUENNIGHOFF_2023.coefficients, {name: np.array([value]) for name, value in POINT.items()})[0])
    where = "N 6.34e9, D 2.42e11, U 2.5e10"
    return Quantity("loss by the published law", AT_POINT, here, tolerance=1e-13, paper_scale=where, scale=where)


def _objective(runs, coefficients) -> float:
    """Sum over the runs of Huber's function of the residual of ln loss, delta 1e-3."""
    from analysis import laws, solver

    law = laws.get("data_constrained")
    points = laws.design(law, {name: runs[name] for name in law.inputs})
    task = solver.problem(points, np.log(runs["loss"]), solver.Objective("huber", 1e-3))
    return float(task.evaluate(points.centre(laws.parameters_of(law, coefficients))[None])[0][0])


PAPER = Paper(
    "Muennighoff et al. 2023, Scaling data-constrained language models (arXiv:2305.16264)",
    "Up to four epochs repeated tokens are as good as new ones; from then on they lose their worth, R_D* = 15.4.",
    {
        "epochs": Figure("loss over epochs beside the published law", published=repeated, files=(FILE,)),
        "constants": Figure("how far repeats keep their worth, fitted again", published=constants, files=(FILE,)),
        "own": Figure("loss over epochs and the worth of a repeat, own runs", own=own_runs, sweeps=("repeated",)),
    },
)
