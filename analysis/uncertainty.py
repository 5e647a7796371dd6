"""Intervals: resampling of runs (or of trunks), and the normal approximation with the sandwich covariance.

The unit of resampling is the run, or the trunk that several cooldown branches share, never a checkpoint.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from scaling_laws.config import ConfigError, nearest

if TYPE_CHECKING:
    from analysis import laws, solver
    from analysis.load import Runs

INTERVALS = ("bootstrap", "delta")
DELTA_DRAWS = 2000


def check(interval: str, bootstrap: int, level: float) -> None:
    """Raises ConfigError for an unknown kind of interval, a negative count or a level outside (0, 1)."""
    if interval not in INTERVALS:
        raise ConfigError(f"interval: {interval!r}; allowed: {', '.join(INTERVALS)}{nearest(interval, INTERVALS)}")
    if bootstrap < 0 or bootstrap > 10**6:
        raise ConfigError(f"bootstrap: {bootstrap}; allowed: 0 to 1000000 resamples")
    if not 0 < level < 1:
        raise ConfigError(f"level: {level}; allowed: a share between 0 and 1")


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


def bootstrap_thetas(
    points: "laws.Design",
    y_N: np.ndarray,
    objective: "solver.Objective",
    theta: np.ndarray,
    units_N: np.ndarray,
    resamples: int,
    seed: int,
) -> np.ndarray:
    """(resamples, P) optima of the resampled objective, all in one batch from the optimum of the data."""
    from analysis import solver

    weights = resample(units_N, resamples, seed)
    thetas, _ = solver.descend(points, y_N, objective, np.repeat(theta[None], resamples, axis=0), weights)
    return thetas


def delta_thetas(
    points: "laws.Design",
    y_N: np.ndarray,
    objective: "solver.Objective",
    theta: np.ndarray,
    units_N: np.ndarray,
    seed: int,
) -> np.ndarray:
    """(2000, P) draws from the normal with the sandwich covariance H^-1 (sum over units of g g^T) H^-1 at the optimum.

    Parameters held at a bound do not move. Raises ConfigError for lad, which has no curvature.
    """
    from analysis import solver

    if objective.name == "lad":
        raise ConfigError("interval: 'delta' with objective 'lad', which has no curvature; allowed: bootstrap")
    free = np.flatnonzero(theta > solver.lower_bounds(points, y_N) + 1e-9)
    each = np.eye(len(y_N))
    _, gradients, _ = solver.evaluate(points, y_N, objective, np.repeat(theta[None], len(y_N), axis=0), each)
    _, _, hessian = solver.evaluate(points, y_N, objective, theta[None], None)
    scores = np.zeros((int(units_N.max()) + 1, len(free)))
    np.add.at(scores, units_N, gradients[:, free])
    influence = scores @ np.linalg.pinv(hessian[0][np.ix_(free, free)])
    count = len(scores)
    noise = np.random.default_rng(seed).standard_normal((DELTA_DRAWS, count)) * np.sqrt(
        count / max(count - len(free), 1)
    )
    thetas = np.repeat(theta[None], DELTA_DRAWS, axis=0)
    thetas[:, free] += noise @ influence
    return thetas


def seed_noise(runs: "Runs") -> dict[str, Any] | None:
    """Pooled standard deviation of ln loss over repeats that differ in seed alone; None without a repeat.

    Needs width, depth, learning_rate and seed. `groups` shapes were repeated, with `dof` degrees of freedom in all.
    """
    from analysis.load import group_keys

    if not {"width", "depth", "learning_rate", "seed"} <= set(runs.columns):
        return None
    groups: dict[tuple, list[float]] = {}
    for key, loss in zip(group_keys(runs, ("learning_rate",)), np.log(runs["loss"]), strict=True):
        groups.setdefault(key, []).append(float(loss))
    repeated = [np.array(values) for values in groups.values() if len(values) > 1]
    dof = sum(len(values) - 1 for values in repeated)
    if not dof:
        return None
    variance = sum(((values - values.mean()) ** 2).sum() for values in repeated) / dof
    return {"sd": float(np.sqrt(variance)), "groups": len(repeated), "dof": dof}
