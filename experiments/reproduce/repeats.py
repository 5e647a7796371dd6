"""Runs that repeat their tokens beside the data-constrained law (Muennighoff et al. 2023): what figures of it share."""

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np

from analysis import fitting, laws
from analysis.figures.chart import Axis, Drawing, Layer, Panel
from analysis.fitting import Fit
from analysis.load import Runs
from analysis.published import MUENNIGHOFF_2023
from analysis.uncertainty import band
from scaling_laws.progress import Progress

LAW = "data_constrained"
NEAR = 0.02  # of N, D or U: runs as one
ONCE, SHOWN = 1.01, 100.0  # epochs
LIMITS = (0.03, 3.0)  # of the worth of a token, beyond which a point is no measure of it
FITTED = "all seven coefficients fitted"


def fit(runs: Runs, bootstrap: int, fixed: Mapping[str, float] | None = None) -> Fit:
    """The data-constrained law, all of it or what is not `fixed`, with progress. Raises as `analysis.fit.fit`."""
    with Progress(bootstrap, "resamples") as progress:
        progress.update(0, f"{7 - len(fixed or {})} coefficients")
        found = fitting.fit(runs, LAW, fixed=dict(fixed or {}), bootstrap=bootstrap)
        progress.update(bootstrap)
    return found


def loss(coefficients: Mapping[str, float], columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """(n,) losses of the law at runs with n_params, tokens and unique_tokens."""
    law = laws.get(LAW)
    return laws.value(law, dict(coefficients), {name: columns[name] for name in law.inputs})


def share(epochs: np.ndarray, r_d: float) -> np.ndarray:
    """D' / D = (1 + R_D (1 - exp(-(epochs - 1) / R_D))) / epochs (equation 5)."""
    return (1 - r_d * np.expm1(-(epochs - 1) / r_d)) / epochs


@dataclasses.dataclass(frozen=True)
class Family:
    """The `runs` of one N, and of one D or U: `held` says which, and at what. With `epochs`."""

    runs: Runs
    n: float
    held: tuple[str, float]
    legend: bool

    @classmethod
    def of(cls, runs: Runs, n: float, held: tuple[str, float], legend: bool = False) -> "Family":
        """Those of `runs` that are nearly there."""
        name, value = held
        own = np.isclose(runs["n_params"], n, rtol=NEAR) & np.isclose(runs[name], value, rtol=NEAR)
        return cls(runs.select(own, "of another family"), n, held, legend)

    def points(self, name: str, mark: str, rows: np.ndarray, epochs: np.ndarray | None = None) -> Iterator[Layer]:
        """The mean over seeds of the runs where `rows` holds, over `epochs` (their own), with its standard deviation
        as bars; nothing without runs."""
        if not rows.any():
            return
        places = np.log((self.runs["epochs"] if epochs is None else epochs)[rows])
        levels, label = np.unique(np.round(places, 2), return_inverse=True)
        groups = [self.runs["loss"][rows][label.ravel() == k] for k in range(len(levels))]
        mean = np.array([group.mean() for group in groups])
        spread = np.array([group.std(ddof=1) if len(group) > 1 else 0.0 for group in groups])
        value = np.full(len(levels), self.n)
        ends = mean - spread, mean + spread
        yield Layer("points", name, np.exp(levels), mean, *ends, value, mark=mark, legend=self.legend)

    def line(self, name: str, coefficients: Mapping[str, float], mark: str = "solid", fresh: bool = False) -> Layer:
        """A law along the epochs of the runs; `fresh`: as if every token were new."""
        grid, inputs = self._along(fresh)
        value = np.full(len(grid), self.n)
        y = loss(coefficients, inputs)
        return Layer("line", name, grid, y, value=value, mark=mark, legend=self.legend, frames=False)

    def band(self, fitted: Fit) -> Iterator[Layer]:
        """The interval of a fitted law; nothing where it was not resampled."""
        if fitted.samples:
            grid, inputs = self._along(False)
            low, high = band(fitted.predict_samples(**inputs), fitted.level)
            value = np.full(len(grid), self.n)
            yield Layer("band", FITTED, grid, low, low, high, value, legend=False, frames=False)

    def _along(self, fresh: bool) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        grid = np.geomspace(1.0, self.runs["epochs"].max(), 60)
        name, value = self.held
        tokens = np.full(60, value) if name == "tokens" else value * grid
        unique = tokens if fresh else tokens / grid
        return grid, {"n_params": np.full(60, self.n), "tokens": tokens, "unique_tokens": unique}


def worth(runs: Runs, fitted: Fit, used: np.ndarray, left_out: str) -> Drawing:
    """What a token is worth over epochs: by the published R_D, by the fitted one, and as each run's loss would have it.

    A run's D' is the one that gives its loss where all else is the fitted law: B / D'^beta is that term at the law's
    own D', and what the run's loss lies above the law's. `used` (n,): the runs that were fitted; `left_out`: the others
    in words.
    """
    law, r_d = fitted.coefficients, MUENNIGHOFF_2023.coefficients["R_D"]
    shown = (runs["epochs"] > ONCE) & (runs["epochs"] <= SHOWN)
    again, used = runs.select(shown, "read once, or far too often"), used[shown]
    term = law["B"] * (again["tokens"] * share(again["epochs"], law["R_D"])) ** -law["beta"]
    term += again["loss"] - loss(law, again.columns)
    with np.errstate(invalid="ignore"):
        value = (law["B"] / term) ** (1 / law["beta"]) / again["tokens"]
    told = np.isfinite(value) & (value > LIMITS[0]) & (value < LIMITS[1])
    grid = np.geomspace(1.0, SHOWN, 100)
    layers = [
        Layer("points", f"a run's loss says, {said}", again["epochs"][told & part], value[told & part], role="muted",
              mark=mark)
        for said, part, mark in (("fitted", used, "dot"), (left_out, ~used, "hollow"))
    ]  # fmt: skip
    if "R_D" in fitted.intervals:
        ends = [share(grid, end) for end in fitted.intervals["R_D"]]
        layers.append(Layer("band", f"{fitted.level:.0%} interval", grid, ends[0], *ends, role="approach1"))
    layers += [
        Layer("line", f"fitted R_D {law['R_D']:.3g}", grid, share(grid, law["R_D"]), role="approach1"),
        Layer("line", f"published R_D {r_d:.4g}", grid, share(grid, r_d), role="law", mark="dashed"),
    ]
    caption = (
        "Lines: D' / D by the constant R_D. Points: the D' at which the law, all seven coefficients fitted, has a "
        f"run's loss; {int(told.sum())} of {len(told)} lie between {LIMITS[0]:g} and {LIMITS[1]:g}."
    )
    panel = Panel(Axis("epochs D / U"), Axis("worth of a token, D' / D"), tuple(layers))
    return Drawing("worth_of_repeats", "What a token is worth when it is repeated", caption, (panel,))
