"""The two ways in which an audit reads an exponent and a forecast off runs: the fitted law, and the budgets' minima."""

import dataclasses
from typing import Any

import numpy as np

from analysis.audit.findings import Estimate
from analysis.fitting import Fit, fit
from analysis.isoflop import Isoflop, interior, isoflop
from analysis.lines import frontier_line
from analysis.load import DataError, Runs, runs_from
from analysis.options import Options
from analysis.study import fit_of
from analysis.uncertainty import percentile

LAW, MINIMA = "law", "minima"
NAN = float("nan")
PARABOLIC = 0.005  # of ln loss: the median miss up to which a parabola describes a budget


def fitted(runs: Runs, options: Options, **changes: Any) -> Fit:
    """The law of the options, fitted to runs; `changes` replace single options. Raises as `fit`."""
    return fit_of(runs, dataclasses.replace(options, **changes))


def by_law(found: Fit, flops: float) -> Estimate:
    """a and the loss at C on the law's frontier. Raises DataError where the law has none, or no finite one."""
    front = found.frontier
    if front is None or not np.isfinite(front.a):
        raise DataError(f"law {found.law!r} has no frontier over N and D")
    losses = front.loss_samples(flops) if front.samples else None
    interval = None if losses is None else percentile(losses, found.level)
    method = f"law {found.law}, {found.objective['name']}"
    return Estimate(
        method, front.a, front.intervals.get("a"), float(front.loss(flops)), interval, flops, found.n_points
    )


def minima(runs: Runs, options: Options, method: str, law: Fit | None = None) -> Isoflop:
    """Approach 2 by "parabola" or "akima". Raises DataError where no budget has sizes enough."""
    return isoflop(runs, method, bootstrap=options.bootstrap, seed=options.seed, level=options.level, fitted=law)


def fitting_minima(runs: Runs, options: Options, law: Fit | None = None) -> Isoflop:
    """Approach 2 by parabolas, which even out noise, where they describe the losses; else by Akima's interpolation."""
    found = minima(runs, options, "parabola", law)
    misses = [np.log(group.curve(group.n_params) / group.loss) for group in found.groups if group.curve is not None]
    return found if np.median(np.abs(np.concatenate(misses))) < PARABOLIC else minima(runs, options, "akima", law)


def by_minima(found: Isoflop, flops: float) -> Estimate:
    """a of the line through the interior minima, and their losses continued to C. Raises DataError below two."""
    kept = list(interior(found))
    if len(kept) < 2 or not np.isfinite(found.a):
        raise DataError("fewer than two budgets with an interior minimum")
    budgets, n_opt, losses = np.array([(group.budget, group.n_opt, group.loss_opt) for group in kept]).T
    runs = sum(len(group.loss) for group in kept)
    return through(budgets, n_opt, losses, flops, f"minima, {found.method}", runs, found.a_interval)


def through(
    budgets: np.ndarray,
    n_opt: np.ndarray,
    losses: np.ndarray,
    flops: float,
    method: str,
    runs: int,
    interval: tuple[float, float] | None = None,
) -> Estimate:
    """The estimate of minima (K,) at budgets (K,): the least-squares line, and E + A C^-gamma through the losses."""
    a = frontier_line(budgets, n_opt)[1]
    return Estimate(method, a, interval, _continued(budgets, losses, flops), None, flops, runs)


def _continued(budgets: np.ndarray, losses: np.ndarray, flops: float) -> float:
    """The loss at C on a power law with a floor through the minima; NaN with fewer than four."""
    if len(budgets) < 4:
        return NAN
    table = runs_from({"flops": budgets, "loss": losses}, needs=("flops", "loss"))
    return float(fit(table, law="power_floor").predict(flops=np.array([flops]))[0])
