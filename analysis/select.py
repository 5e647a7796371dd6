"""Which rows enter a fit: forecasts set apart, the largest budgets held out."""

import numpy as np

from analysis.load import Runs
from scaling_laws.config import ConfigError


def split_forecasts(runs: Runs) -> tuple[Runs, Runs | None]:
    """(runs to fit, forecast runs): rows with purpose `forecast` were predicted before they were trained."""
    if "purpose" not in runs:
        return runs, None
    forecast = runs["purpose"] == "forecast"
    if not forecast.any():
        return runs, None
    return runs.select(~forecast, "a forecast, held out"), runs.select(forecast, "no forecast")


def split_holdout(runs: Runs, holdout: str) -> tuple[Runs, Runs]:
    """(runs to fit, runs held out). `4`: budgets above the largest / 4; `budgets=2`: the two largest budgets.

    Raises ConfigError for another form, or where nothing would be left on either side.
    """
    budgets = runs["budget"] if "budget" in runs and np.isfinite(runs["budget"]).all() else runs["flops"]
    limit = _limit(holdout, budgets)
    keep = budgets <= limit * (1 + 1e-9)
    if keep.all() or not keep.any():
        raise ConfigError(
            f"holdout: {holdout!r} leaves {int(keep.sum())} of {len(keep)} runs to fit; allowed: some on both sides"
        )
    return runs.select(keep, f"held out (above {limit:.4g} FLOPs)"), runs.select(~keep, "used for the fit")


def _limit(holdout: str, budgets: np.ndarray) -> float:
    name, _, count = holdout.rpartition("=")
    try:
        number = float(count)
    except ValueError:
        number = 0.0
    levels = np.unique(budgets)
    if name.strip() == "budgets" and number == int(number) and 1 <= number < len(levels):
        return float(levels[-1 - int(number)])
    if not name and number > 1:
        return float(levels[-1] / number)
    raise ConfigError(f"holdout: {holdout!r}; allowed: a factor above 1, or budgets=1 to budgets={len(levels) - 1}")
