"""A study: the runs that were chosen and all that is computed from them, some of it absent with the reason.

study_of(path) reads a table and computes; analysis.fit prints it, the figures and the page draw it.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from analysis import counts, forecasting, laws, load, select
from analysis.envelope import Envelope, envelope
from analysis.fitting import Fit, fit
from analysis.isoflop import Isoflop, isoflop
from analysis.load import DataError, Runs
from analysis.options import DEFAULTS, Options
from scaling_laws.units import Units

NO_CURVES = "the table has no training curves"
ONE_TABLE = "a single table of runs has no training curves"

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Study:
    """Objects that the analysis computed; None where there was nothing to compute it from.

    runs: those that the fit used; unseen: those kept out of it, as "forecasts" and "holdout"; curves: points of
    training curves; level: share of the resamples that bands and intervals hold.
    missing: name of an absent object -> why it is absent.
    with_bad: the fit with the runs that went bad at their horizon (dead, spiked), which `fit` leaves out by name.
    """

    runs: Runs
    unseen: dict[str, Runs] = dataclasses.field(default_factory=dict)
    curves: Runs | None = None
    fit: Fit | None = None
    isoflop: Isoflop | None = None
    envelope: Envelope | None = None
    missing: dict[str, str] = dataclasses.field(default_factory=dict)
    level: float = DEFAULTS.level
    with_bad: Fit | None = None

    def why(self, name: str) -> str:
        """The reason that `name` is absent."""
        return self.missing.get(name, f"there is no {name}")

    def require_fit(self) -> Fit:
        """The fit. Raises DataError, with the reason, where there is none."""
        if self.fit is None:
            raise DataError(self.why("fit"))
        return self.fit

    def moved_by_bad(self) -> str:
        """One line on how far the runs that went bad would move the fit; nothing where there are none."""
        if self.with_bad is None or self.fit is None:
            return ""
        pairs = {name: (value, self.fit.coefficients[name]) for name, value in self.with_bad.coefficients.items()}
        if self.with_bad.frontier and self.fit.frontier:
            pairs = {"exponent a": (self.with_bad.frontier.a, self.fit.frontier.a)} | pairs
        moved = ", ".join(f"{name} {there:.4g} ({here:.4g})" for name, (there, here) in pairs.items())
        count = self.with_bad.n_points - self.fit.n_points
        which = "run that went bad (without it)" if count == 1 else f"{count} runs that went bad (without them)"
        return f"with the {which}: {moved}"

    @functools.cached_property
    def units(self) -> Units:
        """The units of the losses and of D."""
        return load.units(self.runs)

    @functools.cached_property
    def heldout(self) -> Runs | None:
        """All runs kept out of the fit, or None."""
        parts = list(self.unseen.values())
        if not parts:
            return None
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0].columns}
        return Runs(columns, self.runs.source)

    @functools.cached_property
    def scores(self) -> dict[str, dict[str, Any]]:
        """Errors of the fit on each part of `unseen`; nothing without a fit."""
        return {name: forecasting.score(self.fit, part) for name, part in self.unseen.items()} if self.fit else {}

    def tables(self) -> list[Runs]:
        """The fitted runs and, where there are any, the held-out ones."""
        return [runs for runs in (self.runs, self.heldout) if runs is not None and len(runs)]

    def both(self, name: str) -> np.ndarray:
        """Column `name` of fitted and held-out runs together."""
        return np.concatenate([runs.numbers(name) for runs in self.tables()])

    def compute_range(self, points: int) -> np.ndarray:
        """`points` log-spaced C from the smallest to the largest run, held-out ones included."""
        flops = self.both("flops")
        return np.geomspace(flops.min(), flops.max(), points)

    def is_surface(self) -> bool:
        """Whether the fitted law is one over N and D."""
        return self.fit is not None and set(laws.get(self.fit.law).inputs) == {"n_params", "tokens"}


def study_of(path: str | Path, options: Options = DEFAULTS) -> Study:
    """The study of a sweep's workdir, or of a table of runs, which has no curves. Raises DataError and ConfigError."""
    missing: dict[str, str] = {}
    runs = runs_of(path, options)
    curves = _or_reason(missing, "curves", lambda: curves_of(path, options))
    study = make_study(runs, curves, options, missing.get("curves", NO_CURVES))
    return dataclasses.replace(study, with_bad=_fit_with_bad(path, runs, options) if study.fit else None)


def _fit_with_bad(path: str | Path, runs: Runs, options: Options) -> Fit | None:
    """The same fit, without intervals, to the runs that went bad too; None where there are none."""
    bad = [item for item in runs.excluded if item.reason in {f"status {status}" for status in load.WENT_BAD}]
    if not bad:
        return None
    everything, _ = chosen_runs(runs_of(path, options, (*load.FITTED, *load.WENT_BAD)), options)
    plain = dataclasses.replace(options, bootstrap=0, interval="bootstrap")
    return _or_reason({}, "fit", lambda: fit_of(everything, plain))


def runs_of(path: str | Path, options: Options = DEFAULTS, statuses: Sequence[str] = load.FITTED) -> Runs:
    """The usable rows of a table with what the law reads, N and C by the chosen conventions. Raises as `load.load`."""
    law = laws.get(options.law_name)
    needs = (*law.inputs, law.target)
    runs = load.load(path, options.columns, options.where, needs=needs, statuses=statuses)
    if {"n_params", "tokens", "flops"} <= set(runs.columns):
        runs = counts.apply_params(runs, options.params_convention)
        return counts.apply_flops(runs, options.flops_convention)
    return runs


def make_study(
    runs: Runs, curves: Runs | None = None, options: Options = DEFAULTS, no_curves: str = NO_CURVES
) -> Study:
    """Chooses among usable runs and computes the three approaches; `no_curves`: why there are none.

    What the data do not carry (too few runs, no curves, no budgets) is absent, with the reason in `missing`.
    Raises ConfigError for a law, an objective, an interval or a holdout that does not exist.
    """
    fitted, unseen = chosen_runs(runs, options)
    missing = {} if curves is not None else {"curves": no_curves, "envelope": no_curves}
    sampling = {"bootstrap": options.bootstrap, "seed": options.seed, "level": options.level}
    law = _or_reason(missing, "fit", lambda: fit_of(fitted, options, vary=True))
    lowest = None
    if curves is not None:
        lowest = _or_reason(missing, "envelope", lambda: envelope(curves, fitted, **sampling))
    return Study(
        runs=fitted,
        unseen=unseen,
        curves=curves,
        fit=law,
        isoflop=_or_reason(missing, "isoflop", lambda: isoflop(fitted, fitted=law, **sampling)),
        envelope=lowest,
        missing=missing,
        level=options.level,
    )


def fit_of(runs: Runs, options: Options = DEFAULTS, vary: bool = False) -> Fit:
    """The fit that the options ask for; `vary`: with its spread over choices. Raises DataError and ConfigError."""
    return fit(
        runs,
        law=options.law_name,
        objective=options.objective,
        delta=options.delta,
        weights=options.weights,
        fixed=options.held,
        bootstrap=options.bootstrap,
        interval=options.interval,
        seed=options.seed,
        level=options.level,
        vary=vary,
    )


def chosen_runs(runs: Runs, options: Options = DEFAULTS) -> tuple[Runs, dict[str, Runs]]:
    """(runs to fit, name -> runs kept out of the fit): the best learning rates, forecasts and a holdout apart.

    Raises DataError where every run is a forecast, ConfigError for a bad holdout.
    """
    unseen: dict[str, Runs] = {}
    if not options.include_forecasts:
        runs, forecasts = select.split_forecasts(runs)
        unseen |= {"forecasts": forecasts} if forecasts is not None else {}
    if not len(runs):
        raise DataError(f"{runs.source}: every usable run is a forecast; --include_forecasts fits those too")
    if laws.get(options.law_name).target == "loss":  # a law of rates is about the others too
        runs = load.best_rate(runs)
    if options.holdout:
        runs, unseen["holdout"] = select.split_holdout(runs, options.holdout)
    return runs, unseen


def curves_of(path: str | Path, options: Options = DEFAULTS) -> Runs:
    """Training curves of a sweep, of logs or of an export. Raises DataError, with the reason, where there are none."""
    from scaling_laws.table import TableError

    try:
        curves = load.load_curves(path, options.columns)
    except (TableError, DataError) as error:
        raise DataError(f"{NO_CURVES} ({error})" if Path(path).is_dir() else ONE_TABLE) from error
    if not len(curves):
        raise DataError(NO_CURVES)
    return curves


def _or_reason(missing: dict[str, str], name: str, compute: Callable[[], T]) -> T | None:
    """The result, or None with the reason noted where the data do not carry it."""
    try:
        return compute()
    except DataError as reason:
        missing[name] = str(reason)
        return None
