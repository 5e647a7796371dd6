"""Which runs are drawn together, how often each is drawn, and the central share of what comes of it.

The unit of resampling is the run, or the trunk that several cooldown branches share, never a checkpoint.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from analysis.load import Runs


def units(runs: "Runs") -> np.ndarray:
    """(n,) integers: runs of one trunk share a number, every other run has its own."""
    own = np.arange(len(runs)).astype(str)
    if "trunk" not in runs or runs["trunk"].dtype.kind != "U":
        return np.arange(len(runs))
    names = np.where(runs["trunk"] == "", np.char.add("run ", own), np.char.add("trunk ", runs["trunk"]))
    return np.unique(names, return_inverse=True)[1]


def resample(units_N: np.ndarray, resamples: int, seed: int, strata_N: np.ndarray | None = None) -> np.ndarray:
    """(resamples, n) weights: how often each run was drawn, units with replacement, within strata where given."""
    rng = np.random.default_rng(seed)
    weights = np.zeros((resamples, len(units_N)))
    strata_N = np.zeros(len(units_N), dtype=int) if strata_N is None else strata_N
    for stratum in np.unique(strata_N):
        members = np.flatnonzero(strata_N == stratum)
        _, unit = np.unique(units_N[members], return_inverse=True)
        size = int(unit.max()) + 1
        weights[:, members] = rng.multinomial(size, np.full(size, 1 / size), size=resamples)[:, unit]
    return weights


def percentile(samples: np.ndarray, level: float) -> tuple[float, float]:
    """The central interval of that level over finite samples; (nan, nan) without any."""
    finite = samples[np.isfinite(samples)]
    if not len(finite):
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def band(samples: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper limit (m,) of the central share `level` of samples (n_bootstrap, m); NaN without finite ones."""
    finite = samples[np.isfinite(samples).all(axis=1)]
    if not len(finite):
        nothing = np.full(samples.shape[1], np.nan)
        return nothing, nothing
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def percentiles(samples: Mapping[str, np.ndarray], level: float) -> dict[str, tuple[float, float]]:
    """`percentile` of every entry."""
    return {name: percentile(values, level) for name, values in samples.items()}


def standard_errors(samples: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Standard deviation of every entry over its finite samples."""
    return {name: float(np.std(values[np.isfinite(values)], ddof=1)) for name, values in samples.items()}
