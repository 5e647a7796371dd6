"""Gadre et al. 2024, "Language models scale reliably with over-training and on downstream tasks"."""

from collections.abc import Iterator

import numpy as np

from experiments.reproduce.entry import Figure, Own, Paper, Published, Quantity, Result

FILE = "gadre/runs_full.csv"
DATA_SETS = {"c4_original": "C4", "rpj": "RedPajama", "rw_original": "RefinedWeb"}
ROUNDED = {"E": 0.005, "a": 0.5, "b": 0.5, "eta": 5e-4, "eps": 5e-4, "k": 0.005, "gamma": 5e-4}  # half a last digit
LINES = (5, 20, 80, 640)  # M at which the law is drawn
SMALL, SMALLEST = 1e9, 2e7  # N: sizes below SMALL are fitted, that below SMALLEST over-trained too
TEXTS = (
    "another text in other tokens, models of thousands of parameters instead of millions to billions, and D / N of a "
    "narrow range, within which a and b are hardly told apart"
)


def losses(published: Published) -> Result:
    """Loss over C by D / N: the law of the five runs that the paper fitted, and all others as they came out."""
    from analysis.figures.chart import Axis, Drawing, Panel, scale_of
    from analysis.fit import fit
    from analysis.published import GADRE_2024

    panels, quantities = [], []
    for runs, name in _data_sets(published):
        law = GADRE_2024[name][0]
        fitted, rest = _apart(runs, _five(runs))
        found = fit(fitted, "gadre", objective="mse")
        quantities += list(_coefficients(found, law, DATA_SETS[name]))
        away = np.abs(found.predict(rest["n_params"], rest["tokens"]) / rest["loss"] - 1)
        worst = f"{len(rest)} runs not fitted, that of M {rest['multiple'][away.argmax()]:.0f}"
        quantities += [
            Quantity(f"{said} error of the loss foretold, {DATA_SETS[name]}", None, float(value), scale=scale)
            for said, value, scale in (
                ("median", np.median(away), f"{len(rest)} runs not fitted"), ("largest", away.max(), worst)
            )
        ]  # fmt: skip
        layers = tuple(_over_compute(found, law.coefficients, fitted, rest))
        x, y = Axis("compute C = 6 N D (FLOPs)"), Axis("loss on C4 (nats/token)")
        panels.append(Panel(x, y, layers, DATA_SETS[name]))
    caption = "Lines: the law at each D / N. The five filled runs were fitted, the hollow ones are foretold."
    colours = scale_of("tokens per parameter M = D / N", _multiples(runs))
    title = "Loss over compute and over-training (Gadre et al. 2024)"
    return Result((Drawing("loss_over_flops", title, caption, tuple(panels), colours),), tuple(quantities))


def errors(published: Published) -> Result:
    """Mean error of 17 tasks over the loss: the law of the six runs that the paper fitted, and all others."""
    from analysis.figures.chart import Axis, Drawing, Panel
    from analysis.fit import fit
    from analysis.published import GADRE_2024

    panels, quantities = [], []
    for runs, name in _data_sets(published):
        law = GADRE_2024[name][1]
        fitted, rest = _apart(runs, _five(runs) | (runs["n_params"] > SMALL))
        found = fit(fitted, "error", objective="mse")
        quantities += list(_coefficients(found, law, DATA_SETS[name]))
        away = np.abs(found.predict(loss=rest["loss"]) / rest["error"] - 1)
        quantities.append(
            Quantity(f"median error of the error foretold, {DATA_SETS[name]}", None, float(np.median(away)),
                     scale=f"{len(rest)} runs not fitted")
        )  # fmt: skip
        layers = tuple(_over_loss(found, law.coefficients, fitted, rest))
        x, y = Axis("loss on C4 (nats/token)", log=False), Axis("mean error of 17 tasks", log=False)
        panels.append(Panel(x, y, layers, DATA_SETS[name]))
    caption = "error = eps - k exp(-gamma L). Filled runs were fitted, hollow ones were not."
    title = "Error over loss (Gadre et al. 2024)"
    return Result((Drawing("error_over_loss", title, caption, tuple(panels)),), tuple(quantities))


def own_losses(own: Own) -> Result:
    """The same law through one's own runs."""
    from analysis.published import GADRE_2024
    from experiments.reproduce import own_study

    study = own_study.study(own.workdirs["text"], own.bootstrap, law="gadre")
    found, scale = study.require_fit(), own_study.scale_of(study)
    law = GADRE_2024["c4_original"][0]
    quantities = tuple(
        Quantity(f"{name}, C4", law.coefficients[name], found.coefficients[name], found.intervals.get(name),
                 paper_scale="C 3e15 to 6e20", scale=scale, why=TEXTS)
        for name in ("E", "eta")
    )  # fmt: skip
    open_ones = [f"not identified by these runs: {', '.join(found.unidentified)}"] if found.unidentified else []
    return Result((_beside(study, found),), quantities, (*study.runs.notes, *open_ones))


def _beside(study, found):
    """The fitted law's loss over the loss of each run."""
    from analysis.figures.chart import Axis, Drawing, Layer, Panel, scale_of
    from analysis.forecasting import predicted

    runs, unit = study.runs, study.units.loss
    multiple, ends = runs["tokens"] / runs["n_params"], np.array([runs["loss"].min(), runs["loss"].max()])
    value, low, high = predicted(found, runs)
    layers = (
        Layer("points", "run, with the interval of a new one", runs["loss"], value, low, high, multiple, mark="dot",
              run_ids=runs.names()),
        Layer("line", "equal", ends, ends, role="muted", mark="dashed"),
    )  # fmt: skip
    panel = Panel(Axis(f"loss ({unit})", log=False), Axis(f"loss by the law ({unit})", log=False), layers)
    title, colours = "The law of Gadre et al. 2024 through own runs", scale_of("tokens per parameter M", multiple)
    return Drawing("law_over_loss", title, "Bars: where a new run would lie.", (panel,), colours)


def _data_sets(published: Published) -> Iterator:
    from experiments.reproduce import tables

    everything = tables.over_trained(published.folder)
    for name in DATA_SETS:
        yield everything.select(everything["dataset_name"] == name, "trained on other text"), name


def _five(runs) -> np.ndarray:
    """(n,) whether a run is one of the five of the paper's table 2: M = 20 at the four small sizes, M = 320 at the
    smallest."""
    multiples, sizes = np.round(runs["multiple"]), runs["n_params"]
    return (multiples == 20) & (sizes < SMALL) | (multiples == 320) & (sizes < SMALLEST)


def _apart(runs, chosen: np.ndarray):
    return runs.select(chosen, "foretold"), runs.select(~chosen, "fitted")


def _multiples(runs) -> np.ndarray:
    return np.unique(np.round(runs["multiple"]))


def _coefficients(found, law, said: str) -> Iterator[Quantity]:
    for name, value in law.coefficients.items():
        yield Quantity(f"{name}, {said}", value, found.coefficients[name], tolerance=ROUNDED[name],
                       paper_scale="as rounded in print", scale=f"{found.n_points} runs")  # fmt: skip


def _over_compute(found, law, fitted, rest) -> Iterator:
    from analysis import laws
    from analysis.figures.chart import Layer

    for multiple in _multiples(rest):
        own = [some.select(np.round(some["multiple"]) == multiple, "other D / N") for some in (fitted, rest)]
        flops = np.concatenate([some["flops"] for some in own])
        grid = np.geomspace(flops.min(), flops.max(), 40)
        n = np.sqrt(grid / (6 * multiple))
        if multiple in LINES:
            shade = {"value": np.full(40, multiple), "frames": False, "legend": multiple == 20}
            yield Layer("line", "fitted law", grid, found.predict(n, multiple * n), **shade)
            there = laws.value(laws.get("gadre"), law, {"n_params": n, "tokens": multiple * n})
            yield Layer("line", "published law", grid, there, mark="dashed", **shade)
        for some, name, mark in zip(own, ("run, fitted", "run, foretold"), ("dot", "hollow"), strict=True):
            value = np.full(len(some), multiple)
            yield Layer("points", name, some["flops"], some["loss"], value=value, mark=mark, legend=multiple == 20)


def _over_loss(found, law, fitted, rest) -> Iterator:
    from analysis import laws
    from analysis.figures.chart import Layer

    both = np.concatenate([fitted["loss"], rest["loss"]])
    grid = np.linspace(both.min(), both.max(), 80)
    yield Layer("points", "run, not fitted", rest["loss"], rest["error"], role="muted", mark="hollow")
    yield Layer("points", "run, fitted", fitted["loss"], fitted["error"], role="approach1", mark="dot")
    yield Layer("line", "fitted law", grid, found.predict(loss=grid), role="approach1")
    there = laws.value(laws.get("error"), law, {"loss": grid})
    yield Layer("line", "published law", grid, there, role="law", mark="dashed")


PAPER = Paper(
    "Gadre et al. 2024, Language models scale reliably with over-training and on downstream tasks (arXiv:2403.08540)",
    "Five small runs foretell the loss of over-trained ones, and the loss foretells the error of tasks.",
    {
        "loss": Figure("loss over C by tokens per parameter", own_losses, ("text",), losses, (FILE,)),
        "error": Figure("error over loss", published=errors, files=(FILE,)),
    },
)
