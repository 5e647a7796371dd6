"""From runs and what is asked on the command line to the design: the fit, the candidates, the errors, the search."""

import dataclasses
from typing import Any

import numpy as np

from analysis import shape_counts
from analysis.compare import parse_laws
from analysis.design import shapes
from analysis.design.candidates import MOST_EPOCHS, Candidates, Extent, grid
from analysis.design.errors import Errors, misfit_of, noise_at
from analysis.design.proposal import propose
from analysis.design.result import NextRuns, Target
from analysis.design.search import Limits
from analysis.design.targets import surface_of
from analysis.fitting import Fit
from analysis.load import DataError, Runs
from analysis.options import Options
from analysis.predict import parse_at
from analysis.study import fit_of
from scaling_laws.config import ConfigError
from scaling_laws.progress import Progress

LARGEST = 0.1  # of the budget: C of one run, unless it is said
COOLDOWN = 0.2


@dataclasses.dataclass(frozen=True)
class Wanted:
    """The flags of the design, None where the table or the budget decides."""

    budget: float
    target: str = "loss"
    at: str | None = None
    laws: str | None = None
    max_flops: float | None = None
    max_runs: int = 100
    max_seeds: int = 8
    trunks: bool = False
    cooldown: float | None = None
    trunk_correlation: float = 0.5
    misfit: float | None = None

    @staticmethod
    def of(values: Any) -> "Wanted":
        """From parsed flags."""
        return Wanted(**{field.name: getattr(values, field.name) for field in dataclasses.fields(Wanted)})

    def __post_init__(self) -> None:
        for name, low, high in (
            ("budget", 0, np.inf), ("max_flops", 0, np.inf), ("cooldown", 0, 1.0), ("misfit", -1e-300, 1.0)
        ):  # fmt: skip
            value = getattr(self, name)
            if value is not None and not low < value < high:
                text = "a number from 0 on, below 1" if name == "misfit" else f"above {low:g}, below {high:g}"
                raise ConfigError(f"--{name}: {value!r}; allowed: {text}")
        if self.at and self.target != "loss":
            raise ConfigError(f"--at: {self.at!r}; allowed with --target=loss alone")


def design(runs: Runs, options: Options, wanted: Wanted) -> tuple[NextRuns, Fit]:
    """The next runs, and the fit that they build on. Raises ConfigError and DataError."""
    found, target = _asked(runs, options, wanted)
    if found.frontier is None:
        raise DataError(f"{runs.source}: the fit has no frontier; allowed: a table with N, D and C")
    cooldown = _cooldown(runs, wanted) if wanted.trunks else None
    candidates, source = candidates_of(runs, found, wanted.max_flops or LARGEST * wanted.budget)
    misfit = misfit_of(runs, found) if wanted.misfit is None else wanted.misfit
    trunk = wanted.trunk_correlation if wanted.trunks else 0.0
    errors = Errors(noise_at(runs, found, candidates.n_params_J), misfit, trunk)
    limits = Limits(wanted.budget, wanted.max_runs, wanted.max_seeds)
    note = f"candidates: {len(candidates)}, {source}; C of a run up to {candidates.flops_J.max():.3g}"
    with Progress(1, "designs") as progress:
        done = propose(
            runs, found, candidates, target, limits, errors, cooldown, lambda said: progress.update(0, said), (note,)
        )
        progress.update(1)
    if not done.after.runs:
        cheapest = candidates.flops_J.min()
        raise ConfigError(f"--budget: {wanted.budget:.3g}; allowed: {cheapest:.3g} or more, the cheapest candidate")
    return done, found


def candidates_of(runs: Runs, found: Fit, max_flops: float) -> tuple[Candidates, str]:
    """The candidates up to a C a run, and where they come from."""
    assert found.frontier is not None
    n_params, tokens = runs["n_params"].astype(float), runs["tokens"].astype(float)
    extent = Extent.of(n_params, tokens, max_flops, most_tokens_of(runs))
    extent = dataclasses.replace(extent, least_flops=float(runs["flops"].min()))
    shaped, source = shapes.shapes_of(runs, extent.sizes(n_params), found.frontier.compute)
    return grid(shaped, extent, shape_counts.batch_tokens_of(runs)), source


def most_tokens_of(runs: Runs) -> float:
    """What the planner trains on at most: MOST_EPOCHS passes over the train split, where the table knows that."""
    epochs = runs.numbers("epochs")
    if not np.isfinite(epochs).all() or not (epochs > 0).all():
        return np.inf
    return float(MOST_EPOCHS * np.median(runs["tokens"] / epochs))


def _asked(runs: Runs, options: Options, wanted: Wanted) -> tuple[Fit, Target]:
    """The fit to go by and the target; of two laws the one that fits better is gone by."""
    if not options.bootstrap and options.interval != "delta":
        raise ConfigError("--bootstrap: 0; allowed: 1 or more, a design is averaged over resamples")
    if wanted.target != "choice":
        surface_of(options.law_name)
        target = Target(wanted.target, parse_at(wanted.at) if wanted.at else {})
        return fit_of(runs, options), target
    names = parse_laws(wanted.laws or "")
    if len(set(names)) != 2:
        raise ConfigError(f"--laws: {wanted.laws!r}; allowed with --target=choice: two laws, as chinchilla,kaplan")
    for name in names:
        surface_of(name)
    each = [fit_of(runs, dataclasses.replace(options, law=name, terms=None, fixed=None)) for name in names]
    better, worse = sorted(each, key=lambda fit: fit.objective["value"])
    return better, Target("choice", rival=worse)


def _cooldown(runs: Runs, wanted: Wanted) -> float:
    """Of a trunk's branches. Raises ConfigError where the table's schedule has no trunks."""
    settings = shape_counts.settings_of(runs) or {}
    schedule = settings.get("optimizer.schedule", "wsd")
    if schedule != "wsd":
        raise ConfigError(f"--trunks: the table's runs have schedule {schedule}; allowed: wsd, whose runs share trunks")
    return wanted.cooldown or float(settings.get("optimizer.cooldown", COOLDOWN))
