"""Muennighoff et al. 2023, "Scaling data-constrained language models": what tokens are worth when they are repeated."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from experiments.reproduce.entry import Figure, Paper, Published, Quantity, Result

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
NEAR = 0.02  # of N, D or U: runs as one
AGAIN = 4.0  # epochs, up to which the paper calls repeats nearly as good as fresh tokens
ONCE, SHOWN = 1.01, 100.0  # epochs
LIMITS = (0.03, 3.0)  # of the worth of a token, beyond which a point is no measure of it


def repeated(published: Published) -> Result:
    """Loss over epochs, at the same compute and for the same unique tokens, beside the published law."""
    from analysis.figures.chart import Axis, Drawing, Panel, scale_of
    from experiments.reproduce import tables

    runs = tables.repetition(published.folder)
    fitted = _free(published.folder, published.bootstrap)
    (unique, sizes), first = SAME_UNIQUE, SAME_COMPUTE[0][0]
    layers = [layer for n, d in SAME_COMPUTE for layer in _family(runs, fitted, n, (n, d), "tokens", n == first)]
    small = [layer for n in sizes for layer in _family(runs, fitted, n, (n, unique), "unique_tokens", False)]
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
    from experiments.reproduce import tables

    law = MUENNIGHOFF_2023.coefficients
    runs = tables.repetition(published.folder)
    on_top = _fit(runs, published.bootstrap, {name: law[name] for name in SURFACE})
    free = _free(published.folder, published.bootstrap)
    quantities = [_law_value()]
    for said, found, why in (
        ("published surface, all runs", on_top, LOW_SURFACE),
        ("all seven free", free, FREE),
    ):
        quantities += [
            Quantity(f"{name}*, {said}", law[name], found.coefficients[name], found.intervals.get(name), None,
                     scale=f"{found.n_points} runs", why=why)
            for name in ("R_D", "R_N")
        ]  # fmt: skip
    ends = [float(_share(np.array(AGAIN), end)) for end in free.intervals.get("R_D", ())]
    worth = [float(_share(np.array(AGAIN), r_d)) for r_d in (law["R_D"], free.coefficients["R_D"])]
    quantities.append(
        Quantity(f"worth of a token after {AGAIN:g} epochs", worth[0], worth[1], (ends[0], ends[1]) if ends else None,
                 scale=f"{free.n_points} runs", why=FREE)
    )  # fmt: skip
    once = runs.select(runs["epochs"] < ONCE, "read again")
    above = np.log(once["loss"] / _loss(law, once.columns))
    quantities += [
        Quantity("objective of the published constants, all runs", None, _objective(runs, law), scale="296 runs"),
        Quantity("objective at the optimum, published surface", None, on_top.objective["value"], scale="296 runs"),
        Quantity("ln loss above the published law, single epoch", None, float(np.median(above)),
                 (float(above.min()), float(above.max())), scale=f"median and range of {len(once)} runs"),
    ]  # fmt: skip
    return Result((_worth(runs, free),), tuple(quantities))


def _fit(runs, bootstrap: int, fixed: dict[str, float] | None = None):
    from analysis.fit import fit
    from scaling_laws.progress import Progress

    with Progress(bootstrap, "resamples") as progress:
        progress.update(0, f"{2 if fixed else 7} coefficients")
        found = fit(runs, "data_constrained", fixed=fixed, bootstrap=bootstrap)
        progress.update(bootstrap)
    return found


@lru_cache(maxsize=1)
def _free(folder: Path, bootstrap: int):
    """All seven coefficients, on the runs of few epochs; both figures read it."""
    from experiments.reproduce import tables

    runs = tables.repetition(folder)
    return _fit(runs.select(runs["epochs"] <= FEW, f"above {FEW:g} epochs"), bootstrap)


def _loss(coefficients, columns) -> np.ndarray:
    """(n,) losses of the law at runs with n_params, tokens and unique_tokens."""
    from analysis import laws

    law = laws.get("data_constrained")
    return laws.value(law, coefficients, {name: columns[name] for name in law.inputs})


def _law_value() -> Quantity:
    from analysis.published import MUENNIGHOFF_2023

    here = float(_loss(MUENNIGHOFF_2023.coefficients, {name: np.array([value]) for name, value in POINT.items()})[0])
    where = "N 6.34e9, D 2.42e11, U 2.5e10"
    return Quantity("loss by the published law", AT_POINT, here, tolerance=1e-13, paper_scale=where, scale=where)


def _objective(runs, coefficients) -> float:
    """Sum over the runs of Huber's function of the residual of ln loss, delta 1e-3."""
    from analysis import laws, solver

    law = laws.get("data_constrained")
    points = laws.design(law, {name: runs[name] for name in law.inputs})
    task = solver.problem(points, np.log(runs["loss"]), solver.Objective("huber", 1e-3))
    return float(task.evaluate(points.centre(laws.parameters_of(law, coefficients))[None])[0][0])


def _family(runs, fitted, n: float, key: tuple[float, float], other: str, legend: bool) -> Iterator:
    """The runs of one N and one D (or U) over epochs, and the published and the fitted law along them."""
    from analysis.figures.chart import Layer
    from analysis.published import MUENNIGHOFF_2023

    own = np.isclose(runs["n_params"], key[0], rtol=NEAR) & np.isclose(runs[other], key[1], rtol=NEAR)
    places, label = np.unique(np.round(np.log(runs["epochs"][own]), 2), return_inverse=True)
    groups = [runs["loss"][own][label.ravel() == k] for k in range(len(places))]
    mean = np.array([group.mean() for group in groups])
    spread = np.array([group.std(ddof=1) if len(group) > 1 else 0.0 for group in groups])
    epochs, value = np.exp(places), np.full(len(places), n)
    for name, part, mark in (
        ("runs", epochs <= FEW, "dot"),
        (f"runs of more than {FEW:g} epochs, not fitted", epochs > FEW, "hollow"),
    ):
        ends = (mean - spread)[part], (mean + spread)[part]
        yield Layer("points", name, epochs[part], mean[part], *ends, value[part], mark=mark, legend=legend)
    grid = np.geomspace(1.0, epochs.max(), 60)
    tokens, value = np.full(60, key[1]) if other == "tokens" else key[1] * grid, np.full(60, n)
    inputs = {"n_params": np.full(60, n), "tokens": tokens, "unique_tokens": tokens / grid}
    about = {"value": value, "legend": legend, "frames": False}
    yield Layer("line", "published law", grid, _loss(MUENNIGHOFF_2023.coefficients, inputs), mark="dashed", **about)
    yield Layer("line", "all seven coefficients fitted", grid, _loss(fitted.coefficients, inputs), **about)


def _worth(runs, fitted):
    """What a token is worth over epochs: by the published R_D, by the fitted one, and as each run's loss would have it.

    A run's D' is the one that gives its loss where all else is the fitted law: B / D'^beta is that term at the law's
    own D', and what the run's loss lies above the law's.
    """
    from analysis.figures.chart import Axis, Drawing, Layer, Panel
    from analysis.published import MUENNIGHOFF_2023

    law, r_d = fitted.coefficients, MUENNIGHOFF_2023.coefficients["R_D"]
    again = runs.select((runs["epochs"] > ONCE) & (runs["epochs"] <= SHOWN), "read once, or far too often")
    term = law["B"] * (again["tokens"] * _share(again["epochs"], law["R_D"])) ** -law["beta"]
    term += again["loss"] - _loss(law, again.columns)
    with np.errstate(invalid="ignore"):
        share = (law["B"] / term) ** (1 / law["beta"]) / again["tokens"]
    told = np.isfinite(share) & (share > LIMITS[0]) & (share < LIMITS[1])
    few, grid = again["epochs"] <= FEW, np.geomspace(1.0, SHOWN, 100)
    layers = [
        Layer("points", f"a run's loss says, {said}", again["epochs"][told & part], share[told & part], role="muted",
              mark=mark)
        for said, part, mark in (("fitted", few, "dot"), (f"more than {FEW:g} epochs, not fitted", ~few, "hollow"))
    ]  # fmt: skip
    if "R_D" in fitted.intervals:
        ends = [_share(grid, end) for end in fitted.intervals["R_D"]]
        layers.append(Layer("band", f"{fitted.level:.0%} interval", grid, ends[0], *ends, role="approach1"))
    layers += [
        Layer("line", f"fitted R_D {law['R_D']:.3g}", grid, _share(grid, law["R_D"]), role="approach1"),
        Layer("line", f"published R_D {r_d:.4g}", grid, _share(grid, r_d), role="law", mark="dashed"),
    ]
    caption = (
        "Lines: D' / D by the constant R_D. Points: the D' at which the law, all seven coefficients fitted, has a "
        f"run's loss; {int(told.sum())} of {len(told)} lie between {LIMITS[0]:g} and {LIMITS[1]:g}."
    )
    panel = Panel(Axis("epochs D / U"), Axis("worth of a token, D' / D"), tuple(layers))
    return Drawing("worth_of_repeats", "What a token is worth when it is repeated", caption, (panel,))


def _share(epochs: np.ndarray, r_d: float) -> np.ndarray:
    """D' / D = (1 + R_D (1 - exp(-(epochs - 1) / R_D))) / epochs (equation 5)."""
    return (1 - r_d * np.expm1(-(epochs - 1) / r_d)) / epochs


PAPER = Paper(
    "Muennighoff et al. 2023, Scaling data-constrained language models (arXiv:2305.16264)",
    "Up to four epochs repeated tokens are as good as new ones; from then on they lose their worth, R_D* = 15.4.",
    {
        "epochs": Figure("loss over epochs beside the published law", published=repeated, files=(FILE,)),
        "constants": Figure("how far repeats keep their worth, fitted again", published=constants, files=(FILE,)),
    },
)
