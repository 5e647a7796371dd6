"""How much each run counts in a fit: equally, by its seed noise, or by a column of standard errors."""

import numpy as np

from analysis import uncertainty
from analysis.choices import EQUAL, SEED_NOISE, WEIGHTS
from analysis.load import DataError, Runs
from scaling_laws.config import ConfigError, nearest

LEAST_NOISE = 0.1  # of the median: a run cannot count more than a hundred times as much as a typical one


def weights_of(runs: Runs, choice: str = EQUAL) -> np.ndarray | None:
    """(n,) weights with mean 1, or None where all count alike.

    `seed_noise`: inverse variances of ln loss between seeds (see `noise_by_size`). The name of a column: inverse
    variances from the standard errors of the loss in it. `tokens^0.5`, a column to a power: in proportion to that, as
    where the far end matters most. Raises DataError where the table lacks what is asked for, ConfigError for another.
    """
    if choice in ("", EQUAL):
        return None
    if choice == SEED_NOISE:
        return _inverse_squares(noise_by_size(runs))
    column, _, power = choice.partition("^")
    if column not in runs:
        raise ConfigError(
            f"weights: {choice!r}; allowed: {WEIGHTS}{nearest(column, (EQUAL, SEED_NOISE, *runs.columns))}"
        )
    values = runs.numbers(column)
    if not (np.isfinite(values) & (values > 0)).all():
        bad = int(np.flatnonzero(~(np.isfinite(values) & (values > 0)))[0])
        raise DataError(f"{runs.source}: weights: {column!r} of {runs.run_id(bad)}; allowed: positive numbers")
    return _powered(values, choice, power) if "^" in choice else _inverse_squares(values / runs["loss"])


def _powered(values: np.ndarray, choice: str, power: str) -> np.ndarray:
    try:
        weights = (values / values.max()) ** float(power)
    except ValueError:
        raise ConfigError(f"weights: {choice!r}; allowed: {WEIGHTS}") from None
    return weights / weights.mean()


def noise_by_size(runs: Runs) -> np.ndarray:
    """(n,) standard deviation of ln loss between seeds at each run's N. Raises DataError without a repeat."""
    sizes, dof, variance = uncertainty.repeated_shapes(runs)
    if not len(sizes):
        raise DataError(
            f"{runs.source}: no shape was repeated with another seed; allowed: --weights={EQUAL}, or a column"
        )
    return noise_over(runs["n_params"], sizes, dof, variance)


def noise_over(n_params: np.ndarray, sizes_G: np.ndarray, dof_G: np.ndarray, variance_G: np.ndarray) -> np.ndarray:
    """(n,) standard deviation at each N, a power of N through the variances of G repeated shapes; below three sizes
    their pooled one everywhere, and 1 where all of them are 0."""
    pooled = float(np.sqrt((variance_G * dof_G).sum() / dof_G.sum()))
    if len(np.unique(sizes_G)) < 3 or not pooled:
        return np.full(len(n_params), pooled or 1.0)
    logs = 0.5 * np.log(np.maximum(variance_G, (0.01 * pooled) ** 2))
    slope = np.polyfit(np.log(sizes_G), logs, 1, w=np.sqrt(dof_G))[0]
    center = np.average(np.log(sizes_G), weights=dof_G)
    return pooled * np.exp(slope * (np.log(n_params) - center))


def _inverse_squares(errors: np.ndarray) -> np.ndarray:
    weights = np.maximum(errors, LEAST_NOISE * np.median(errors)) ** -2.0
    return weights / weights.mean()
