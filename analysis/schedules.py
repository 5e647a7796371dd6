"""Cooldown branches of one trunk beside cosine runs to each horizon: how far apart they end, and what they cost.

Haegele et al. 2024 (arXiv:2405.18392), section 4: with a constant rate and a cooldown over the last share c of a run,
every token budget branches off one trunk, so that budgets D_1 < ... < D_n cost (1 - c) max(D) + c sum(D).
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from analysis.fitting import Fit, fit
from analysis.load import DataError, Runs
from analysis.uncertainty.student import quantile
from scaling_laws.config import OptimizerConfig

COSINE, BRANCH, CONSTANT = "cosine", "wsd", "constant"  # as the column `schedule` calls them
NEEDS = ("tokens", "steps", "flops", "loss")  # columns
LAW = "power(tokens)"
LEVEL = 0.9
NEAR = 2.0  # standard deviations of a run over seeds within which branches count as level with cosine runs
COOLDOWN = OptimizerConfig().cooldown


@dataclasses.dataclass(frozen=True)
class Point:
    """One schedule at one token budget: mean held-out losses over seeds, nats per token.

    `std`: over seeds, of one run (NaN for one seed); `averaged_loss`: of averaged parameters, NaN where there are none.
    """

    schedule: str
    tokens: int
    seeds: int
    loss: float
    std: float
    averaged_loss: float


@dataclasses.dataclass(frozen=True)
class Apart:
    """How far branches end above cosine runs of the same tokens: the difference of the means over the standard
    deviation of a run over seeds, `std` (pooled), and its interval by Student's t."""

    tokens: int
    branch: float
    cosine: float
    std: float
    value: float
    interval: tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Averaging:
    """How far averaged parameters end below (negative) the last ones of the same runs at a constant rate: mean over
    seeds, and its interval by Student's t (None for one seed)."""

    tokens: int
    seeds: int
    value: float
    interval: tuple[float, float] | None


@dataclasses.dataclass(frozen=True)
class Cost:
    """Training of all branches over that of separate runs: as measured, and by the formula above.

    `tokens_K`: the token budgets, ascending; `separate_K`, `branches_K`, `foretold_K`: FLOPs of one seed's runs up to
    each, separate, of a trunk, and of a trunk by the formula.
    """

    share: float
    formula: float
    tokens_K: np.ndarray
    separate_K: np.ndarray
    branches_K: np.ndarray
    foretold_K: np.ndarray


def points(runs: Runs) -> list[Point]:
    """Means over seeds, by schedule and tokens."""
    averaged = runs.numbers("averaged_loss")
    found = []
    for schedule, tokens in sorted({*zip(runs["schedule"].tolist(), runs["tokens"].tolist(), strict=True)}):
        own = (runs["schedule"] == schedule) & (runs["tokens"] == tokens)
        loss, several = runs["loss"][own], own.sum() > 1
        std = float(loss.std(ddof=1)) if several else float("nan")
        found.append(Point(schedule, int(tokens), len(loss), float(loss.mean()), std, float(averaged[own].mean())))
    return found


def apart(seen: Sequence[Point]) -> list[Apart]:
    """Branches against cosine runs, by tokens. Raises DataError where they have no token budget in common, or where
    one schedule has a single seed."""
    by = {(point.schedule, point.tokens): point for point in seen}
    both = [tokens for name, tokens in by if name == BRANCH and (COSINE, tokens) in by]
    if not both:
        raise DataError("schedules: no cosine and wsd runs of the same tokens; allowed: some token budgets with both")
    return [_apart(by[COSINE, tokens], by[BRANCH, tokens]) for tokens in both]


def _apart(cosine: Point, branch: Point) -> Apart:
    if min(cosine.seeds, branch.seeds) < 2:
        raise DataError(f"schedules: one seed at {cosine.tokens:,} tokens; allowed: two or more of each schedule")
    freedom = cosine.seeds + branch.seeds - 2
    squares = (cosine.seeds - 1) * cosine.std**2 + (branch.seeds - 1) * branch.std**2
    std = (squares / freedom) ** 0.5
    value = (branch.loss - cosine.loss) / std
    reach = quantile(LEVEL, freedom) * (1 / cosine.seeds + 1 / branch.seeds) ** 0.5
    return Apart(cosine.tokens, branch.loss, cosine.loss, std, value, (value - reach, value + reach))


def laws(runs: Runs, bootstrap: int) -> dict[str, Fit]:
    """L = A D^-gamma of cosine runs and of branches, of which those of a trunk are drawn together. Raises as `fit`."""
    own = {name: runs.select(runs["schedule"] == name, "another schedule") for name in (COSINE, BRANCH)}
    return {name: fit(found, LAW, objective="log_mse", bootstrap=bootstrap) for name, found in own.items()}


def averaging(runs: Runs) -> list[Averaging]:
    """What averages change of runs at a constant rate, by tokens."""
    change = runs.numbers("averaged_loss") - runs["loss"]
    own = (runs["schedule"] == CONSTANT) & np.isfinite(change)
    budgets = np.unique(runs["tokens"][own])
    return [_averaging(int(tokens), change[own & (runs["tokens"] == tokens)]) for tokens in budgets]


def _averaging(tokens: int, change: np.ndarray) -> Averaging:
    n, mean = len(change), float(change.mean())
    reach = quantile(LEVEL, n - 1) * float(change.std(ddof=1)) / n**0.5 if n > 1 else None
    return Averaging(tokens, n, mean, None if reach is None else (mean - reach, mean + reach))


def cost(runs: Runs, cooldown: float = COOLDOWN) -> Cost:
    """What the branches among `runs` cost. Raises DataError where there are none."""
    branches = runs.select((runs["schedule"] == BRANCH) & (runs["trunk"] != ""), "no branch")
    if not len(branches):
        raise DataError("schedules: no run with a trunk; allowed: wsd runs that share one")
    steps, tokens_K = branches["steps"], np.unique(branches["tokens"])
    longest = [steps[branches["trunk"] == trunk].max() for trunk in np.unique(branches["trunk"])]
    of_tokens_K = [branches["tokens"] == tokens for tokens in tokens_K]
    flops_K = np.array([branches["flops"][own].mean() for own in of_tokens_K])
    parts_K = np.array([(branches["own_steps"][own] / steps[own]).mean() for own in of_tokens_K])
    return Cost(
        share=float(branches["own_steps"].sum() / steps.sum()),
        formula=float(cooldown + (1 - cooldown) * sum(longest) / steps.sum()),
        tokens_K=tokens_K.astype(float),
        separate_K=np.cumsum(flops_K),
        branches_K=np.cumsum(parts_K * flops_K),
        foretold_K=(1 - cooldown) * flops_K + cooldown * np.cumsum(flops_K),
    )
