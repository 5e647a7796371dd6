"""Approach 2 as a whole: the minimum of each budget by one of three methods, its bias, and the line through them."""

import numpy as np

from analysis import uncertainty
from analysis.budgets import slope_name
from analysis.fitting import Fit, fit
from analysis.isoflop import akima, bias, parabola, through_surface
from analysis.isoflop.cells import Cell, Minimum, cells_of
from analysis.isoflop.result import Group, Isoflop
from analysis.isoflop.through import Line, Sampling, spread
from analysis.load import DataError, Runs, row_list
from scaling_laws.config import ConfigError, nearest

METHODS = ("parabola", "log_parabola", "akima", "surface")
PARABOLAS = {"parabola": parabola.place, "log_parabola": parabola.place_of_log}
WEIGHTS = ("equal", "inverse_variance")
MIN_SIZES = 4


def isoflop(
    runs: Runs,
    method: str = "parabola",
    bootstrap: int = 0,
    min_points: int = MIN_SIZES,
    seed: int = 0,
    level: float = 0.9,
    noise: float | None = None,
    weights: str | None = None,
    fitted: Fit | None = None,
) -> Isoflop:
    """Minima over N at each budget by `method`, and their line.

    Budgets come from the column `budget`, or from clusters of `flops`. `noise` (akima) is the sd of ln loss of one run
    that is added to every size in each resample (Porian et al. 2024), 0: none; by default the spread between repeated
    seeds where there are any, else runs are resampled. `weights` of the line: "equal", or "inverse_variance" = 1 /
    (sd of ln N* over the resamples)^2, the default of akima with a bootstrap. `fitted` is the law whose surface the
    bias and method "surface" read; by default the Chinchilla law is fitted here.
    Raises DataError where no budget has `min_points` sizes, or a run lacks N, D, C or loss; ConfigError for an unknown
    method or weight.
    """
    check(method, weights, bootstrap, level, noise)
    _check_runs(runs)
    labels, cells = cells_of(runs)
    usable = [cell for cell in cells if len(cell.sizes) >= min_points]
    if not usable:
        most = max(len(cell.sizes) for cell in cells)
        raise DataError(f"{runs.source}: no budget has {min_points} sizes; the largest of {len(cells)} has {most}")
    draws = uncertainty.resample(uncertainty.units(runs), bootstrap, seed, labels)
    sampling = Sampling(draws, _noise(runs, noise), seed, level)
    law, unknown = _law(runs, method, fitted, bootstrap, seed, level)
    minima = [_minimum(method, cell, sampling, law) for cell in usable]
    shifts = _shifts(method, law, usable)
    found = {
        cell.budget: _group(cell, minimum, float(shift), sampling)
        for cell, minimum, shift in zip(usable, minima, shifts, strict=True)
    }
    groups = tuple(found.get(cell.budget) or _short(cell, min_points) for cell in cells)
    kept = [k for k, minimum in enumerate(minima) if not minimum.reason]
    weighing = weights or ("inverse_variance" if method == "akima" and bootstrap else "equal")
    line = Line([usable[k] for k in kept], [minima[k] for k in kept], weighing, sampling)
    return Isoflop(
        groups=groups,
        line=line.through("log_n"),
        d_line=line.through("log_d"),
        loss_line=line.through("log_loss"),
        line_samples=line.samples("drawn"),
        d_line_samples=line.samples("drawn_d"),
        a_interval=line.interval("drawn"),
        b_interval=line.interval("drawn_d"),
        c_interval=_negative(line.interval("drawn_loss")),
        level=level,
        name=slope_name(np.exp(line.log_c), len(kept)),
        notes=(*_notes(groups, min_points), *filter(None, [unknown])),
        method=method,
        weights=weighing,
        draws=sampling.kind(method),
        a_bias=line.slope_of(shifts[kept] * np.log(10)),
        law_residual_sd=law.residual_sd if law is not None else float("nan"),
    )


def check(method: str, weights: str | None, bootstrap: int, level: float, noise: float | None) -> None:
    """Raises ConfigError for a choice that does not exist."""
    if method not in METHODS:
        raise ConfigError(f"method: {method!r}; allowed: {', '.join(METHODS)}{nearest(method, METHODS)}")
    if weights is not None and weights not in WEIGHTS:
        raise ConfigError(f"weights: {weights!r}; allowed: {', '.join(WEIGHTS)}{nearest(weights, WEIGHTS)}")
    if weights == "inverse_variance" and not bootstrap:
        raise ConfigError("weights: 'inverse_variance' without resamples; allowed: a bootstrap above 0")
    if noise is not None and not 0 <= noise < 1:
        raise ConfigError(f"noise: {noise}; allowed: a standard deviation of ln loss, 0 to 1")
    uncertainty.check("bootstrap", bootstrap, level)


def _check_runs(runs: Runs) -> None:
    """Raises DataError at the first rows that lack what a budget is made of (a law of other columns reads them)."""
    for name in ("n_params", "tokens", "flops", "loss"):
        values = runs.only_numbers(name)
        bad = ~(np.isfinite(values) & (values > 0))
        if bad.any():
            raise DataError(f"{runs.source}: {name} is not a positive number in {row_list(runs.rows[bad])}")


def _noise(runs: Runs, given: float | None) -> float | None:
    """The sd of ln loss of one run, as given or as measured; None where nothing was repeated."""
    measured = uncertainty.seed_noise(runs) if given is None else None
    return given if measured is None else measured["sd"]


def _law(
    runs: Runs, method: str, fitted: Fit | None, bootstrap: int, seed: int, level: float
) -> tuple[Fit | None, str]:
    """The law to read, or None with a note where the runs carry none; method "surface" insists on one."""
    if fitted is not None and (fitted.frontier is not None or method == "surface"):
        return fitted, ""
    if method == "surface":
        return fit(runs, bootstrap=bootstrap, seed=seed, level=level), ""
    try:
        return fit(runs), ""
    except DataError as reason:
        return None, f"bias unknown: {reason}"


def _minimum(method: str, cell: Cell, sampling: Sampling, law: Fit | None) -> Minimum:
    if method == "surface":
        assert law is not None
        return through_surface.minimum(cell, law, sampling.count)
    weights = sampling.weights_BxN[:, cell.rows]
    if method in PARABOLAS:
        return parabola.minimum(cell, weights, logarithmic=method == "log_parabola")
    return akima.minimum(cell, weights, sampling.noise, sampling.seed)


def _shifts(method: str, law: Fit | None, cells: list[Cell]) -> np.ndarray:
    """(K,) bias of log10 N* on the fitted surface: none for the surface itself, NaN where no law was fitted."""
    if method == "surface":
        return np.zeros(len(cells))
    if law is None or law.frontier is None:
        return np.full(len(cells), np.nan)
    return bias.shifts(law.frontier, cells, PARABOLAS.get(method, akima.place))


def _group(cell: Cell, found: Minimum, shift: float, sampling: Sampling) -> Group:
    interval, sd = None, float("nan")
    if sampling.count:
        low, high = uncertainty.percentile(found.drawn, sampling.level)
        interval, sd = (float(np.exp(low)), float(np.exp(high))), spread(found.drawn)
    return Group(
        budget=cell.budget,
        n_params=cell.n_params,
        tokens=cell.tokens,
        loss=cell.loss,
        n_opt=float(np.exp(found.log_n)),
        d_opt=float(np.exp(found.log_d)),
        loss_opt=float(np.exp(found.log_loss)),
        reason=found.reason,
        curve=found.curve,
        n_opt_interval=interval,
        n_opt_sd=sd,
        bias_log10_n=shift,
    )


def _negative(pair: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if pair is None else (-pair[1], -pair[0])


def _short(cell: Cell, min_points: int) -> Group:
    reason = f"{len(cell.sizes)} sizes, fewer than {min_points}"
    return Group(cell.budget, cell.n_params, cell.tokens, cell.loss, reason=reason)


def _notes(groups: tuple[Group, ...], min_points: int) -> tuple[str, ...]:
    """Every dropped minimum by name; budgets that never had a curve as one line."""
    notes = [f"budget {g.budget:.4g} dropped: {g.reason}" for g in groups if g.edge and g.fitted]
    small = [f"{g.budget:.4g}" for g in groups if not g.fitted]
    return (*notes, f"fewer than {min_points} sizes at budgets {', '.join(small)}") if small else tuple(notes)
