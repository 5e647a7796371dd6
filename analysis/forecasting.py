"""A loss foretold from a fit, with the interval of a new run, and the naive guesses that it has to beat."""

import dataclasses
from typing import Any

import numpy as np

from analysis import laws
from analysis.budgets import budget_groups
from analysis.fitting import Fit
from analysis.load import Runs
from scaling_laws.config import ConfigError


@dataclasses.dataclass(frozen=True)
class Forecast:
    """A predicted loss. The interval covers a new run: the law's uncertainty and the spread between seeds."""

    flops: float
    n_params: float
    tokens: float
    loss: float
    loss_interval: tuple[float, float] | None
    level: float
    noise_sd: float  # of ln loss between runs
    noise_source: str
    extrapolation: float  # C over the largest C that was fitted

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Naive:
    """Two guesses that a law has to beat."""

    best_loss: float  # the lowest loss at the largest budget, as if scale changed nothing
    power_law: float  # a power of C through the best loss of each budget, without an irreducible loss
    exponent: float

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)


def predict(
    result: Fit,
    flops: float | None = None,
    n_params: float | None = None,
    tokens: float | None = None,
    level: float | None = None,
    seed: int = 0,
) -> Forecast:
    """The loss at C on the frontier, or at (N, D); with C and N, D follows. What else the law reads is as in the runs.

    Raises ConfigError where these do not fix a point or the law has no frontier.
    """
    point = _point(result, flops, n_params, tokens)
    level = result.level if level is None else level
    inputs = {"n_params": point[0], "tokens": point[1], "flops": point[2]} | result.held
    noise_sd, source = noise(result)
    interval = None
    if result.samples:
        low, high = noisy_interval(result, result.predict_samples(**inputs), level, seed)
        interval = (float(low), float(high))
    return Forecast(
        flops=float(point[2]),
        n_params=float(point[0]),
        tokens=float(point[1]),
        loss=float(result.predict(**inputs)),
        loss_interval=interval,
        level=level,
        noise_sd=noise_sd,
        noise_source=source,
        extrapolation=float(point[2] / result.ranges["flops"][1]),
    )


def noise(result: Fit) -> tuple[float, str]:
    """Standard deviation of ln loss of one run, and what it was read off: repeated seeds, or the fit's residuals."""
    if result.seed_noise is not None:
        return result.seed_noise["sd"], f"{result.seed_noise['groups']} shapes with repeated seeds"
    return result.residual_sd, "residuals of the fit (no repeated seeds)"


def noisy_interval(result: Fit, samples: np.ndarray, level: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Central interval (low, high) of a new run's loss from (n_bootstrap, *points) losses of the law."""
    spread = np.random.default_rng(seed).standard_normal(samples.shape) * noise(result)[0]
    low, high = np.nanquantile(samples * np.exp(spread), [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def predicted(result: Fit, runs: Runs) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """The fit's loss (n,) for runs, and the limits for one new run each where there are resamples."""
    inputs = {name: runs[name] for name in laws.get(result.law).inputs}
    value = result.predict(**inputs)
    if not result.samples:
        return value, None, None
    return value, *noisy_interval(result, result.predict_samples(**inputs), result.level)


def score(result: Fit, runs: Runs) -> dict[str, Any]:
    """Errors in ln loss on runs the fit has not seen; the interval's coverage where it has samples."""
    value, low, high = predicted(result, runs)
    seen = runs[laws.get(result.law).target]
    error = np.log(value / seen)
    found = {
        "runs": len(runs),
        "rms_log_error": float(np.sqrt(np.mean(error**2))),
        "mean_log_error": float(error.mean()),
    }
    if low is not None and high is not None:
        found["coverage"] = float(np.mean((seen >= low) & (seen <= high)))
        found["level"] = result.level
    return found


def _point(result: Fit, flops: float | None, n_params: float | None, tokens: float | None) -> tuple[Any, Any, Any]:
    """(N, D, C) of what was given."""
    given = {"flops": flops, "n_params": n_params, "tokens": tokens}
    for name, value in given.items():
        if value is not None and not 0 < value < np.inf:
            raise ConfigError(f"at: {name}={value}; allowed: a positive number")
    front = result.frontier
    if n_params is not None and tokens is not None and flops is None:
        return n_params, tokens, _compute(front, n_params, tokens)
    if flops is None or (n_params is not None and tokens is not None):
        raise ConfigError(
            "at: allowed: flops=..., or flops=... with one of n_params and tokens, or n_params=...,tokens=..."
        )
    if front is None:
        return (np.nan, np.nan, flops)
    k, power = front.compute.k, 1 + front.compute.p
    if tokens is not None:
        return (flops / (k * tokens)) ** (1 / power), tokens, flops
    n = front.n_opt(flops) if n_params is None else n_params
    return n, flops / (k * n**power), flops


def _compute(front: Any, n_params: float, tokens: float) -> float:
    if front is None:
        return 6 * n_params * tokens
    return front.compute.k * n_params ** (1 + front.compute.p) * tokens


def naive(runs: Runs, flops: float) -> Naive:
    """The two naive guesses at C from the best loss of each budget in `runs`."""
    labels, budgets = budget_groups(runs)
    best = np.array([runs["loss"][labels == k].min() for k in range(len(budgets))])
    if len(budgets) < 2:
        return Naive(float(best[-1]), float(best[-1]), 0.0)
    slope, intercept = np.polyfit(np.log(budgets), np.log(best), 1)
    return Naive(float(best[-1]), float(np.exp(intercept + slope * np.log(flops))), float(-slope))
