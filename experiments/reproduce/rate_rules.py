"""Rules for learning rate and batch, published and fitted, beside the best settings of cells of N and D."""

from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.reproduce.entry import Quantity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analysis.figures.chart import Panel
    from analysis.fitting import Fit
    from analysis.load import Runs
    from analysis.published import Published

SETTINGS = {"learning_rate": "lr", "batch": "batch"}  # law -> short
COLUMNS = {"learning_rate": ("learning_rate", "learning rate"), "batch": ("batch_tokens", "batch (tokens)")}
PLACES = 30  # of a line


def value(law: "Published", n: np.ndarray, d: np.ndarray) -> np.ndarray:
    """(k,) what a published rule says at N and D (k,), where C = 6 N D."""
    from analysis import laws

    rule = laws.get(law.law)
    given = {"n_params": n, "tokens": d, "flops": 6 * n * d}
    return laws.value(rule, law.coefficients, {name: given[name] for name in rule.inputs})


def beside(rules: "Mapping[str, Published]", whose: str, setting: str, best: "Runs", **about: Any) -> Quantity:
    """By what factor a published rule lies above the best of the cells: geometric mean and range; `about`: what else
    the quantity says, as `paper` 1 where the rule is to hold."""
    ratio = np.log(value(rules[setting], best["n_params"], best["tokens"]) / best[COLUMNS[setting][0]])
    ends = float(np.exp(ratio.min())), float(np.exp(ratio.max()))
    said = f"{whose} {SETTINGS[setting]} over the best, geometric mean and range"
    about = {"paper": None, "scale": f"{len(best)} cells"} | about
    return Quantity(said, here=float(np.exp(ratio.mean())), interval=ends, **about)


def over_tokens(setting: str, best: "Runs", found: "Fit", fitted: str = "fitted to these cells") -> "Panel":
    """The best of each cell over D, coloured by N, with the fitted rule, Step Law and DeepSeek; bars where the cells
    have `low` and `high`, a band where the fit has draws and its cells bars."""
    from analysis import laws
    from analysis.figures.chart import Axis, Layer, Panel
    from analysis.published import DEEPSEEK, STEP_LAW
    from analysis.uncertainty import band

    column, label = COLUMNS[setting]
    d = np.geomspace(best["tokens"].min(), best["tokens"].max(), PLACES)
    layers, rule, bars = [], laws.get(setting), "low" in best
    for k, size in enumerate(np.unique(best["n_params"]).tolist()):
        n, first = np.full(PLACES, size), k == 0
        layers.append(Layer("line", "DeepSeek, published", d, value(DEEPSEEK[setting], n, d), role="muted",
                            mark="dashed", legend=first))  # fmt: skip
        if k and "n_params" not in rule.inputs:
            continue
        shade: dict[str, Any] = {"value": n, "frames": False} if "n_params" in rule.inputs else {"role": "law"}
        inputs = {name: {"n_params": n, "tokens": d}[name] for name in rule.inputs}
        line = found.predict(**inputs)
        if bars and found.samples:
            ends = band(found.predict_samples(**inputs), found.level)
            layers.append(Layer("band", fitted, d, line, *ends, legend=False, **shade))
        layers.append(Layer("line", fitted, d, line, legend=first, **shade))
        there = value(STEP_LAW[setting], n, d)
        layers.append(Layer("line", "Step Law, published", d, there, mark="dashed", legend=first, **shade))
    low, high = (best["low"], best["high"]) if bars else (None, None)
    cells = best["tokens"], best[column], low, high, best["n_params"]
    layers.append(Layer("points", "best of a cell", *cells, mark="dot"))
    return Panel(Axis("tokens D", si=True), Axis(label, si=setting == "batch"), tuple(layers))
