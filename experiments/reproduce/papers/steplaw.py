"""Li et al. 2025, "Predictable scale, part I: Step Law", and DeepSeek's rule beside it: the best rate and batch."""

from collections.abc import Iterator

import numpy as np

from experiments.reproduce import rate_rules
from experiments.reproduce.entry import Figure, Paper, Published, Quantity, Result
from experiments.reproduce.papers import steplaw_own
from experiments.reproduce.rate_rules import SETTINGS

FILES = ("steplaw/dense_lr_bs_loss.csv", "steplaw/1004_fitted_lr_bs_scaling_model_parameters.csv")
# exponent -> column of their fits
EXPONENTS = {
    ("learning_rate", "x_n_params"): "lr_coefN",
    ("learning_rate", "x_tokens"): "lr_coefD",
    ("batch", "x_tokens"): "bs_coefD",
}
MIDDLE = {"n_params": 4e8, "tokens": 2e10}
SAME = 0.0025  # of the least loss of a cell: which runs their code takes for as good
SHOWN = 0.03  # of the least loss: beyond, a run has the last colour
SPREAD = 3.0  # published standard deviations within which an exponent of 17 cells counts as theirs
FLAT = (
    "the loss is flat about its minimum, so that which runs stand for it moves the exponents by more than resampling "
    "does; which rows of the table went into the published fits is not said"
)


def surfaces(published: Published) -> Result:
    """Loss over learning rate and batch in four cells, with the best of each and what the rules say."""
    from analysis.figures.chart import Axis, ColourScale, Drawing, Panel
    from analysis.optimal_settings import optimal_settings
    from experiments.reproduce import tables

    runs = tables.step_law(published.folder)
    best = optimal_settings(runs)
    order = np.argsort(best["n_params"] * best["tokens"])
    panels = []
    for place in order[np.linspace(0, len(order) - 1, 4).astype(int)]:
        names = ("n_params", "tokens", "learning_rate", "batch_tokens")
        n, d, rate, batch = (float(best[name][place]) for name in names)
        own = runs.select((runs["n_params"] == n) & (runs["tokens"] == d), "another cell")
        layers = tuple(_cell(own, rate, batch, n, d))
        panels.append(Panel(Axis("learning rate"), Axis("batch (tokens)", si=True), layers, f"N {n:.2g}, D {d:.2g}"))
    colours = ColourScale("loss above the cell's least, %", 0.0, 100 * SHOWN, log=False)
    caption = f"Runs coloured by their loss; those more than {SHOWN:.0%} above the least share the last colour."
    title = "Loss over learning rate and batch (Li et al. 2025)"
    drawing = Drawing("loss_over_rate_and_batch", title, caption, tuple(panels), colours)
    return Result((drawing,), (_interior(runs),))


def rules(published: Published) -> Result:
    """The rules fitted to the minima of the 17 cells, beside the published ones and DeepSeek's."""
    from analysis.figures.chart import Drawing, scale_of
    from analysis.fit import fit
    from analysis.optimal_settings import optimal_settings
    from analysis.published import DEEPSEEK, STEP_LAW
    from experiments.reproduce import tables

    runs, theirs = tables.step_law(published.folder), tables.step_law_fits(published.folder)
    quantities = [
        Quantity(f"{_said(setting, name)}, mean of their fits", STEP_LAW[setting].coefficients[name],
                 float(theirs[column].mean()), tolerance=5e-5, scale="1000 fits")
        for (setting, name), column in EXPONENTS.items()
    ]  # fmt: skip
    for setting, column in (("learning_rate", "lr_intercept"), ("batch", "bs_intercept")):
        k = float(np.exp(theirs[column].mean()))
        said, printed = f"{SETTINGS[setting]}: coefficient, mean of their fits", STEP_LAW[setting].coefficients["k"]
        quantities.append(Quantity(said, printed, k, tolerance=5e-4, scale="1000 fits"))
    best = optimal_settings(runs)
    ways = {"best 5 % of a cell": best, "parabolas": _parabolas(runs), "their choice of runs": _as_good(runs)}
    fits = {
        (way, setting): fit(table, setting, objective="log_mse", bootstrap=published.bootstrap)
        for way, table in ways.items()
        for setting in SETTINGS
    }
    for (way, setting), found in fits.items():
        quantities += list(_exponents(found, setting, way, theirs if way == "best 5 % of a cell" else None))
    for setting in SETTINGS:
        quantities.append(_middle(fits["best 5 % of a cell", setting], setting))
    quantities += [rate_rules.beside(DEEPSEEK, "DeepSeek's", setting, best) for setting in SETTINGS]
    panels = tuple(rate_rules.over_tokens(setting, best, fits["best 5 % of a cell", setting]) for setting in SETTINGS)
    caption = "Points: geometric mean over the best 5 % of the runs of a cell."
    title = "Rules for learning rate and batch beside the minima of 17 cells"
    colours = scale_of("parameters N", best["n_params"], si=True)
    drawing = Drawing("rules_beside_minima", title, caption, panels, colours)
    return Result((drawing,), tuple(quantities))


def _interior(runs) -> Quantity:
    from analysis.interior_settings import cells

    found = cells(runs)
    edges = [f"N {one.n_params:.3g}, D {one.tokens:.3g}: {one.reason}" for one in found if one.reason]
    return Quantity("share of the cells with an interior minimum", 1.0, 1 - len(edges) / len(found), tolerance=0.0,
                    scale=f"{len(found)} cells", why="; ".join(edges))  # fmt: skip


def _said(setting: str, name: str) -> str:
    return f"{SETTINGS[setting]}: exponent of {'N' if name == 'x_n_params' else 'D'}"


def _parabolas(runs):
    """One row a cell: the interior minimum of parabolas in ln rate and ln batch."""
    from analysis.interior_settings import cells
    from analysis.load import Runs

    inside = [one for one in cells(runs) if not one.reason]
    names = ("n_params", "tokens", "learning_rate", "batch_tokens")
    return Runs({name: np.array([getattr(one, name) for one in inside]) for name in names}, "minima of parabolas")


def _as_good(runs):
    """The runs within SAME of the least loss of their cell."""
    _, cell = np.unique(np.stack([runs["n_params"], runs["tokens"]], axis=1), axis=0, return_inverse=True)
    least = np.full(cell.max() + 1, np.inf)
    np.minimum.at(least, cell.ravel(), runs["loss"])
    return runs.select(runs["loss"] / least[cell.ravel()] - 1 < SAME, "not as good as the best")


def _exponents(found, setting: str, way: str, theirs) -> Iterator[Quantity]:
    """Within a few of their standard deviations where `theirs` are given, else by the interval."""
    from analysis.published import STEP_LAW

    for (own, name), column in EXPONENTS.items():
        if own == setting:
            tolerance = None if theirs is None else SPREAD * float(theirs[column].std())
            value, interval = found.coefficients[name], found.intervals.get(name)
            yield Quantity(f"{_said(setting, name)}, {way}", STEP_LAW[setting].coefficients[name], value, interval,
                           tolerance, scale=f"{found.n_points} points", why=FLAT)  # fmt: skip


def _middle(found, setting: str) -> Quantity:
    """Both rules amid the cells, where they are surest."""
    from analysis import laws
    from analysis.published import STEP_LAW

    point = {name: np.array([value]) for name, value in MIDDLE.items()}
    given = {name: point[name] for name in laws.get(setting).inputs}
    there = float(rate_rules.value(STEP_LAW[setting], point["n_params"], point["tokens"])[0])
    low, high = np.quantile(found.predict_samples(**given), (0.05, 0.95)) if found.samples else (None, None)
    ends = None if low is None or high is None else (float(low), float(high))
    said = f"{SETTINGS[setting]} at N {MIDDLE['n_params']:.0e} and D {MIDDLE['tokens']:.0e}, best 5 % of a cell"
    return Quantity(said, there, float(found.predict(**given)[0]), ends, scale=f"{found.n_points} points", why=FLAT)


def _cell(own, rate: float, batch: float, n: float, d: float) -> Iterator:
    from analysis.figures.chart import Layer
    from analysis.published import DEEPSEEK, STEP_LAW

    above = np.minimum(100 * (own["loss"] / own["loss"].min() - 1), 100 * SHOWN)
    worst_first = np.argsort(-above)
    yield Layer("points", "run", own["learning_rate"][worst_first], own["batch_tokens"][worst_first],
                value=above[worst_first], mark="dot")  # fmt: skip
    for name, laws, role in (("Step Law", STEP_LAW, "law"), ("DeepSeek", DEEPSEEK, "approach1")):
        x, y = (rate_rules.value(laws[setting], np.array([n]), np.array([d])) for setting in SETTINGS)
        yield Layer("points", f"{name}, published", x, y, role=role, mark="forecast")
    yield Layer("points", "best 5 % of the cell", np.array([rate]), np.array([batch]), role="frontier", mark="star")


PAPER = Paper(
    "Li et al. 2025, Predictable scale, part I: Step Law (arXiv:2503.04715); Bi et al. 2024, DeepSeek LLM "
    "(arXiv:2401.02954)",
    "The best learning rate falls with N and rises with D, the best batch follows D alone.",
    {
        "cell": Figure("loss over learning rate and batch", published=surfaces, files=FILES[:1]),
        "rule": Figure("rules beside the minima of 17 cells", published=rules, files=FILES),
        "own": Figure("rules beside the best rates of own runs", own=steplaw_own.rules, sweeps=steplaw_own.SWEEPS),
    },
)
