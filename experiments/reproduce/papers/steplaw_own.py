"""Own runs beside Step Law's and DeepSeek's rules: the best learning rate over N and D under CompleteP, and over N
under the standard parametrisation."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments.reproduce import rate_rules
from experiments.reproduce.entry import Own, Quantity, Result

if TYPE_CHECKING:
    from analysis.figures.chart import Panel
    from analysis.fitting import Fit
    from analysis.load import Runs

RULE, STANDARD = SWEEPS = ("rate_rule", "rate_transfer")
LEVEL = 0.9
PAPER_SCALE = "N 2e8 to 1e9, D 4e9 to 1e11"
EXPONENTS = {"x_n_params": "N", "x_tokens": "D"}
WHY = {
    "x_n_params": "CompleteP carries the rate over the width, so that this is what is left beyond it",
    "x_tokens": (
        "the batch is held at one size here, where theirs grows as D^.57 and takes the rate along; a longer run of the "
        "same batch wants a lower rate"
    ),
}
ONE_D = "two to four decades below their sizes, at one D, with the depth among what varies"
FAR = "a rule measured at a thousand times as many parameters, by runs of another batch, schedule and parametrisation"


def rules(own: Own) -> Result:
    """The rule fitted to own minima beside the published ones."""
    from analysis.figures.chart import Drawing, scale_of
    from analysis.published import DEEPSEEK, STEP_LAW

    cells = {name: _cells(own.workdirs[name], "standard" if name == STANDARD else "completep") for name in SWEEPS}
    fits = {RULE: _fit(cells[RULE], ("n_params", "tokens")), STANDARD: _fit(cells[STANDARD], ("n_params",))}
    quantities = [*_exponents(fits[RULE], cells[RULE], "CompleteP", WHY)]
    quantities += _exponents(fits[STANDARD], cells[STANDARD], "standard, one D", {"x_n_params": ONE_D})
    for name, said in ((RULE, "CompleteP"), (STANDARD, "standard")):
        about = {"scale": f"{len(cells[name])} cells, {said}", "why": FAR, "paper": 1.0}
        for whose, rule in (("Step Law's", STEP_LAW), ("DeepSeek's", DEEPSEEK)):
            quantities.append(rate_rules.beside(rule, f"{said}: {whose}", "learning_rate", cells[name], **about))
    first = rate_rules.over_tokens("learning_rate", cells[RULE], fits[RULE])
    panels = dataclasses.replace(first, title="CompleteP"), _over_size(cells[STANDARD], fits[STANDARD])
    sizes = np.concatenate([table["n_params"] for table in cells.values()])
    title = "Best learning rates of own runs beside published rules"
    caption = f"Points: minima over the rates tried; bars {LEVEL:.0%} over seeds, bands of the fit. Dashed: published."
    drawing = Drawing("rules_beside_own_minima", title, caption, panels, scale_of("parameters N", sizes, si=True))
    return Result((drawing,), tuple(quantities))


def _cells(workdir: Path, name: str) -> "Runs":
    """One row a size and horizon of a parametrisation with an interior minimum, with its interval. Raises DataError."""
    from analysis import lr_minima
    from analysis.load import DataError, Runs
    from experiments import rates

    inside = [one for one in lr_minima.minima(rates.read(workdir), LEVEL) if one.parametrization == name]
    inside = [one for one in inside if not one.reason]
    if not inside:
        raise DataError(f"{workdir}: no interior best learning rate under {name}")
    columns = {"n_params": [one.n_params for one in inside], "tokens": [one.tokens for one in inside]}
    columns |= {"learning_rate": [one.best for one in inside]}
    columns |= {end: [one.interval[k] for one in inside] for k, end in enumerate(("low", "high"))}
    return Runs({key: np.array(values, float) for key, values in columns.items()}, str(workdir))


def _fit(cells: "Runs", axes: Sequence[str]) -> "Fit":
    """lr as a power of the axes; draws, for a band, where two degrees of freedom are left. Raises DataError where an
    axis does not vary, or for as few cells as coefficients."""
    from analysis.fit import fit
    from analysis.load import DataError

    for name in axes:
        if len(np.unique(cells[name])) < 2:
            raise DataError(f"{cells.source}: one {name} alone; allowed: two or more")
    if len(cells) <= len(axes) + 1:
        raise DataError(f"{cells.source}: {len(cells)} interior minima; allowed: {len(axes) + 2} or more")
    interval = "delta" if len(cells) > len(axes) + 2 else "profile"
    return fit(cells, f"learning_rate({','.join(axes)})", objective="log_mse", interval=interval, level=LEVEL)


def _exponents(found: "Fit", cells: "Runs", said: str, why: dict[str, str]) -> Iterator[Quantity]:
    from analysis.published import STEP_LAW

    n, d = cells["n_params"], cells["tokens"]
    scale = f"N {n.min():.2g} to {n.max():.2g}, D {d.min():.2g} to {d.max():.2g}"
    for name, reason in why.items():
        yield Quantity(f"lr: exponent of {EXPONENTS[name]}, {said}", STEP_LAW["learning_rate"].coefficients[name],
                       found.coefficients[name], found.intervals[name], None, PAPER_SCALE, scale, reason)  # fmt: skip


def _over_size(cells: "Runs", found: "Fit") -> "Panel":
    """The best rate over N at one D."""
    from analysis.figures.chart import Axis, Layer, Panel
    from analysis.published import DEEPSEEK, STEP_LAW
    from analysis.uncertainty import band

    n, d = (np.geomspace(cells["n_params"].min(), cells["n_params"].max(), rate_rules.PLACES),
            np.full(rate_rules.PLACES, np.median(cells["tokens"])))  # fmt: skip
    ends = band(found.predict_samples(n), found.level) if found.samples else None
    layers = (
        *([Layer("band", "fitted", n, found.predict(n), *ends, legend=False)] if ends else []),
        Layer("line", f"fitted over N: N^{found.coefficients['x_n_params']:.2f}", n, found.predict(n)),
        Layer("line", "Step Law, published", n, rate_rules.value(STEP_LAW["learning_rate"], n, d), mark="dashed"),
        Layer("line", "DeepSeek, published", n, rate_rules.value(DEEPSEEK["learning_rate"], n, d), role="muted",
              mark="dashed"),
        Layer("points", "best of a cell", cells["n_params"], cells["learning_rate"], cells["low"], cells["high"],
              cells["n_params"], mark="dot"),
    )  # fmt: skip
    return Panel(Axis("parameters N", si=True), Axis("learning rate"), layers, f"standard, D {d[0]:.2g}")
