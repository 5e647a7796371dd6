"""Exponents read off the tables of the cases, with their intervals and the points behind them. No JAX here."""

import dataclasses
from pathlib import Path

import numpy as np

from analysis.fitting import fit
from analysis.isoflop import interior, isoflop
from analysis.load import Runs, load
from experiments.known.cases import Case, Quantity, Ridge
from scaling_laws.config import ExperimentConfig
from scaling_laws.theory import one_pass, power_law_features

AXES = {"L(N)": "n_params", "L(D)": "tokens"}
LEVEL = 0.9
FLAT = 1e-4  # by which a loss still falls where it is not flat


@dataclasses.dataclass(frozen=True)
class Measured:
    """One exponent beside theory's; `x` and `y` (k,) are the points that the line of `slope` goes through, and `kept`
    says in words how many those are."""

    case: Case
    quantity: Quantity
    exponent: float
    interval: tuple[float, float]
    x: np.ndarray
    y: np.ndarray
    kept: str

    @property
    def slope(self) -> float:
        """Of ln y over ln x."""
        return self.exponent if self.quantity.name == "N(C)" else -self.exponent

    @property
    def miss(self) -> float:
        """How far the exponent lies from theory's."""
        return self.exponent - self.quantity.theory

    @property
    def verdict(self) -> str:
        """Whether the bar is met."""
        bar = self.quantity.bar
        return "no bar" if bar is None else "met" if abs(self.miss) <= bar else "MISSED"


def measure(case: Case, workdir: Path, resamples: int) -> list[Measured]:
    """Every quantity of a case from the table in `workdir`. Raises DataError where that holds too little."""
    if any(quantity.name == "L(C)" for quantity in case.quantities):
        return _frontier(case, load(workdir), resamples)
    return [_axis(case, quantity, workdir, resamples) for quantity in case.quantities]


def _frontier(case: Case, runs: Runs, resamples: int) -> list[Measured]:
    """From the minimum over N of each budget: parabolas of ln loss, for squared errors of few runs have long tails."""
    found = isoflop(runs, method="log_parabola", bootstrap=resamples, level=LEVEL)
    groups = list(interior(found))
    budgets, kept = np.array([group.budget for group in groups]), f"{len(groups)} of {len(found.groups)} budgets"
    unknown = (float("nan"), float("nan"))
    sides = {
        "L(C)": (found.c, found.c_interval or unknown, np.array([group.loss_opt for group in groups])),
        "N(C)": (found.a, found.a_interval or unknown, np.array([group.n_opt for group in groups])),
    }
    return [Measured(case, one, *sides[one.name][:2], budgets, sides[one.name][2], kept) for one in case.quantities]


def _axis(case: Case, quantity: Quantity, workdir: Path, resamples: int) -> Measured:
    """From the loss over one column, all else equal: a power without a floor through ln loss."""
    column = AXES[quantity.name]
    runs = load(workdir, needs=(column, "loss"))  # a memoriser has no products, so no FLOPs
    runs = tuned(runs) if isinstance(case.work, Ridge) else runs
    law = fit(runs, law=f"power({column})", objective="log_mse", bootstrap=resamples, level=LEVEL)
    x = np.unique(runs[column])
    y = np.array([np.exp(np.log(runs["loss"][runs[column] == value]).mean()) for value in x])
    exponent, kept = law.coefficients["gamma"], f"{len(runs)} runs at {len(x)} of {quantity.name[2]}"
    return Measured(case, quantity, exponent, law.intervals["gamma"], x.astype(float), y, kept)


def tuned(runs: Runs) -> Runs:
    """Of every N and D the runs with the best ridge, by the mean loss over seeds.

    Those of an N and D whose loss still falls where the ridges tried end are left out by name. It does not towards a
    ridge of 0: with N far from D the fit without one is as good as any.
    """
    best, edge = np.zeros(len(runs), bool), np.zeros(len(runs), bool)
    for n, d in np.unique(np.stack([runs["n_params"], runs["tokens"]], axis=1), axis=0):
        cell = (runs["n_params"] == n) & (runs["tokens"] == d)
        ridges = np.unique(runs["weight_decay"][cell])
        means = np.array([runs["loss"][cell & (runs["weight_decay"] == ridge)].mean() for ridge in ridges])
        k = int(np.argmin(means))
        best |= cell & (runs["weight_decay"] == ridges[k])
        falling = {0: means[1] / means[0], len(ridges) - 1: means[-2] / means[-1]}
        edge |= cell & (falling.get(k, 1.0) > 1 + FLAT)
    runs, edge = runs.select(best, "not the best ridge"), edge[best]
    return runs.select(~edge, "the loss still falls at the least or the largest ridge tried")


def against_oracle(config: ExperimentConfig, workdir: Path, at_least: int) -> list[tuple[int, int, int, float]]:
    """(width, steps, runs, standard errors) of every shape and length with so many runs: how far their mean loss lies
    above the exact expectation for their own features (`theory.one_pass`)."""
    runs, found = load(workdir), []
    alpha, beta, rate = config.task.alpha, config.task.beta, config.optimizer.learning_rate
    for width, steps in np.unique(np.stack([runs["width"], runs["steps"]], axis=1), axis=0).astype(int).tolist():
        cell = (runs["width"] == width) & (runs["steps"] == steps)
        if cell.sum() < at_least:
            continue
        spectra = [power_law_features.spectrum(alpha, beta, width, int(seed)) for seed in runs["seed"][cell]]
        batch = config.train.batch_size
        expected = np.array([one_pass.expected_risk(each, rate, batch, [steps])[0] for each in spectra])
        off = one_pass.deviation(runs["loss"][cell], expected, config.train.eval_tokens)
        found.append((width, steps, int(cell.sum()), off))
    return found
