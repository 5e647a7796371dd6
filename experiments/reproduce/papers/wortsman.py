"""Wortsman et al. 2023, "Small-scale proxies for large-scale transformer training instabilities": what a rate too high
costs, over size, with and without what is said to help."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments.reproduce.entry import Figure, Own, Paper, Quantity, Result

if TYPE_CHECKING:
    from analysis.figures.chart import ColourScale, Drawing
    from analysis.load import Runs
    from analysis.lr_minima import RateMinimum
    from analysis.seed_lines import SeedLines

    Arms = Mapping[str, Sequence[RateMinimum]]

SWEEP = "stability"
LEVEL = 0.9
NEITHER, NORM = "neither", "qk-norm"
HELPS = {"model.qk_norm": NORM, "train.z_loss": "z-loss"}  # setting -> what an arm is called by
ROLES = ("ink", "approach1", "approach2", "law")
SMALL = "so few steps of so small networks that attention has hardly begun to sharpen"


def sensitivity(own: Own) -> Result:
    """Loss over rate by size, the sensitivity to the rate over N, and the attention logits behind it, by arm."""
    from analysis.figures.chart import Drawing, scale_of
    from analysis.figures.lr_sweep import CAPTION, panel
    from analysis.load import load_curves

    runs = _runs(own.workdirs[SWEEP])
    arms = _arms(runs)
    colours = scale_of("parameters N", runs["n_params"], si=True)
    panels = tuple(panel(name, "n_params", line) for name, line in arms.items())
    title = "Loss over learning rate (after Wortsman et al. 2023, figure 1)"
    losses = Drawing("loss_over_rate", title, CAPTION, panels, colours)
    found = {name: _over_size(line) for name, line in arms.items()}
    drawings = (losses, _sensitivities(arms, found), _logits(runs, load_curves(own.workdirs[SWEEP]), colours))
    return Result(drawings, tuple(_quantities(arms, found)))


def _runs(workdir: Path) -> "Runs":
    """The runs, `arm` of each in words. Raises DataError where there are none with and without qk-norm."""
    from analysis import load, lr_minima
    from analysis.load import DataError
    from scaling_laws import table

    runs = load.load(workdir, needs=lr_minima.NEEDS, statuses=table.SETTLED)
    names = np.array([_name(str(text)) for text in runs["config"]])
    if not {NEITHER, NORM} <= set(names.tolist()):
        raise DataError(f"{workdir}: no runs at several rates with and without model.qk_norm")
    return runs.with_columns(arm=names)


def _arms(runs: "Runs") -> "Arms":
    """Arm -> its sizes, N ascending; a run that spiked counts with the loss at which it ended, as in the paper."""
    from analysis import lr_minima

    ended = np.isfinite(runs.numbers("loss"))
    runs = runs.with_columns(status=np.where(ended, "finished", runs["status"]))
    names = _order(runs)
    found = {name: lr_minima.minima(runs.select(runs["arm"] == name, "another arm"), LEVEL) for name in names}
    return {name: sorted(line, key=lambda one: one.n_params) for name, line in found.items()}


def _order(runs: "Runs") -> list[str]:
    """The arms as they are shown."""
    return [NEITHER, NORM, *sorted(set(runs["arm"].tolist()) - {NEITHER, NORM})]


def _name(settings: str) -> str:
    """Of the arm of a run, by its settings as JSON text."""
    given = json.loads(settings)
    return " and ".join(said for path, said in HELPS.items() if given.get(path)) or NEITHER


def _over_size(line: "Sequence[RateMinimum]") -> "SeedLines":
    from analysis.seed_lines import seed_lines

    sizes = np.array([one.n_params for one in line])
    return seed_lines(sizes, np.array([one.sensitivities for one in line]), LEVEL)


def _interval(values: np.ndarray) -> tuple[float, tuple[float, float]]:
    """Mean over seeds and its interval."""
    from analysis.uncertainty.student import half_width

    mean, half = float(values.mean()), half_width(values, LEVEL)
    return mean, (mean - half, mean + half)


def _known(values: np.ndarray) -> tuple[float, tuple[float, float] | None]:
    """The same, without an interval where there is one seed."""
    from experiments.reproduce import over_seeds

    mean, interval = _interval(values)
    return mean, over_seeds.known(interval)


def _quantities(arms: "Arms", found: "Mapping[str, SeedLines]") -> list[Quantity]:
    """Sensitivity at the largest size, by how much each arm lowers it, and how it grows with N."""
    from experiments.reproduce import over_seeds

    said, plain = [], arms[NEITHER]
    sizes, rates = (plain[0].n_params, plain[-1].n_params), plain[0].rates
    scale = f"N {sizes[0]:.2g} to {sizes[1]:.2g}, rates {rates[0]:g} to {rates[-1]:g}"
    for name, line in arms.items():
        at = f"at N {line[-1].n_params:.2g}"
        said.append(Quantity(f"sensitivity {at}, {name}", None, *_known(line[-1].sensitivities), scale=scale))
        if name != NEITHER and (line[-1].width, line[-1].depth) == (plain[-1].width, plain[-1].depth):
            less = _known(line[-1].sensitivities - plain[-1].sensitivities)
            expected = 0.0 if name == NORM else None
            said.append(Quantity(f"sensitivity {at}, {name} less {NEITHER}", expected, *less, None, "lower", scale,
                                 SMALL, at_most=True))  # fmt: skip
    for name, each in found.items():
        ends = over_seeds.known(each.interval)
        said.append(Quantity(f"exponent of the sensitivity in N, {name}", None, each.slope, ends, scale=scale))
    return said


def _sensitivities(arms: "Arms", found: "Mapping[str, SeedLines]") -> "Drawing":
    from analysis.figures.chart import Axis, Drawing, Panel
    from experiments.reproduce import over_seeds

    layers = []
    for (name, line), role in zip(arms.items(), ROLES, strict=False):
        values = [(mean, *ends) for mean, ends in (_interval(one.sensitivities) for one in line)]
        sizes = np.array([one.n_params for one in line])
        layers += list(over_seeds.layers(name, sizes, np.array(values).T, found[name], role))
    caption = (
        "Mean over the rates tried of the loss, at most that of guessing, above the least (section 2.2). "
        f"Bars and bands: {LEVEL:.0%} over seeds."
    )
    axes = Axis("parameters N", si=True), Axis(f"sensitivity to the rate ({next(iter(arms.values()))[0].unit})")
    title = "Sensitivity to the learning rate over size (after Wortsman et al. 2023)"
    return Drawing("sensitivity_over_size", title, caption, (Panel(*axes, tuple(layers)),))


def _logits(runs: "Runs", points: "Runs", colours: "ColourScale") -> "Drawing":
    """The largest attention logit that a run's curve shows, over its rate, a panel an arm: geometric means over seeds
    and their range."""
    from analysis.figures.chart import Axis, Drawing, Layer, Panel

    said = "mean over seeds, with their range"
    largest = dict.fromkeys(runs["run_id"].tolist(), np.nan)
    for name, text in zip(points["run_id"].tolist(), points["attention_logits"].tolist(), strict=True):
        if name in largest and text:
            largest[name] = np.fmax(largest[name], max(json.loads(text)))
    logit, panels = np.array([largest[name] for name in runs["run_id"].tolist()]), []
    for arm in _order(runs):
        layers = []
        for size in np.unique(runs["n_params"]):
            own = (runs["arm"] == arm) & (runs["n_params"] == size) & np.isfinite(logit) & (logit > 0)
            rates, place = np.unique(runs["learning_rate"][own], return_inverse=True)
            groups = [logit[own][place.ravel() == k] for k in range(len(rates))]
            mean, low, high = np.array([(np.exp(np.log(g).mean()), g.min(), g.max()) for g in groups]).T.reshape(3, -1)
            value = np.full(len(rates), size)
            layers.append(Layer("line", "mean over seeds", rates, mean, value=value, legend=False))
            layers.append(Layer("points", said, rates, mean, low, high, value, mark="dot"))
        panels.append(Panel(Axis("peak learning rate"), Axis("largest attention logit"), tuple(layers), arm))
    title = "The largest attention logit over learning rate (after Wortsman et al. 2023)"
    caption = "Over all blocks and the points of a run's curve; a run that diverged counts up to where it did."
    return Drawing("attention_logits", title, caption, tuple(panels), colours)


PAPER = Paper(
    "Wortsman et al. 2023, Small-scale proxies for large-scale transformer training instabilities (arXiv:2309.14322)",
    "What breaks large transformers breaks small ones at high learning rates; normalised queries and keys lower the "
    "sensitivity to the rate.",
    {"1": Figure("loss over rate, and sensitivity to it over size, with and without qk-norm and z-loss",
                 own=sensitivity, sweeps=(SWEEP,))},
)  # fmt: skip
