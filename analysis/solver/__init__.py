"""Exact fits of a law in batches: many starts and many resamples are one array program.

Starts come from variable projection; each is finished by a damped Newton iteration with the exact Hessian on ln
coefficients and exponents with centred inputs. How many starts agree with the best is the certificate of the optimum.
"""

import dataclasses
from typing import Any

import numpy as np

from analysis.choices import OBJECTIVES
from analysis.solver.descent import LAD_DELTAS, Problem, descend, problem, search
from analysis.solver.objective import Objective
from analysis.solver.starts import starts
from scaling_laws.config import ConfigError

__all__ = [
    "OBJECTIVES",
    "Objective",
    "Problem",
    "Solution",
    "descend",
    "problem",
    "search",
    "solve",
    "starts",
]

AGREE = 1e-6
ROUND = 32  # starts in the first round
SHARE = 0.25  # of the starts have to agree
MANY, FEW = 128, 3
MANY_POINTS, SAMPLE = 20_000, 4_000
CONTENDERS = 3  # minima of a sample that are tried on all points


@dataclasses.dataclass(frozen=True)
class Solution:
    """Best parameters (centred, (P,)), their objective, and how sure the search is of them."""

    theta: np.ndarray
    value: float
    starts: int
    agreeing_fraction: float
    gap_to_second: float | None
    gradient_norm: float
    condition_number: float
    at_bound: tuple[str, ...]
    searched_points: int | None = None  # of how many points the starts saw a sample; None: all

    def certificate(self) -> dict[str, Any]:
        """The search's evidence, for JSON."""
        names = ("starts", "agreeing_fraction", "gap_to_second", "gradient_norm", "condition_number", "searched_points")
        return {name: getattr(self, name) for name in names} | {"at_bound": list(self.at_bound)}


def solve(task: Problem, weights_N: np.ndarray | None = None) -> Solution:
    """The global minimum over many starts, with its certificate.

    Starts are tried in rounds that double, until enough of them agree on the best or all have been tried. Of many
    points an even sample serves the search; the best of its minima are then descended from on all points.
    """
    rows = _sample(len(task.y_N))
    if rows is None:
        return _certified(task, *_searched(task, weights_N), weights_N)
    part = None if weights_N is None else weights_N[rows]
    thetas, values = _searched(task.take(rows), part)
    distinct = thetas[np.unique(np.round(values / values.min(), 6), return_index=True)[1][:CONTENDERS]]
    full = None if weights_N is None else np.broadcast_to(weights_N, (len(distinct), len(task.y_N)))
    ends, found = descend(task, distinct, full)
    certified = _certified(task, ends, found, weights_N)
    share = float(_agreeing(values).mean())
    return dataclasses.replace(certified, starts=len(values), agreeing_fraction=share, searched_points=len(rows))


def _searched(task: Problem, weights_N: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Where the descents from the starts end (G, P), and their objectives (G,). Raises ConfigError without any."""
    first = starts(task.points, task.y_N)
    order = np.random.default_rng(0).permutation(len(first))
    thetas, values = first[:0], np.zeros(0)
    while len(values) < len(order) and not _enough(values):
        batch = order[len(values) : max(ROUND, 2 * len(values))]
        ends, found = search(task, task.clip(first[batch]), weights_N)
        thetas, values = np.concatenate([thetas, ends]), np.concatenate([values, found])
    if not np.isfinite(values.min()):
        raise ConfigError(
            f"law {task.points.law.name!r}: no start led to a finite objective; allowed: other data, or another law"
        )
    return thetas, values


def _sample(n_points: int) -> np.ndarray | None:
    if n_points <= MANY_POINTS:
        return None
    return np.sort(np.random.default_rng(0).choice(n_points, SAMPLE, replace=False))


def _enough(values_G: np.ndarray) -> bool:
    """Whether a fair share of the starts agrees on the best, or after many starts a few."""
    if not len(values_G):
        return False
    agreeing = _agreeing(values_G).sum()
    return agreeing >= SHARE * len(values_G) or (len(values_G) >= MANY and agreeing >= FEW)


def _agreeing(values_G: np.ndarray) -> np.ndarray:
    return values_G <= values_G.min() * (1 + AGREE) + 1e-25


def _certified(task: Problem, thetas_GxP: np.ndarray, values_G: np.ndarray, weights_N: np.ndarray | None) -> Solution:
    theta, best = thetas_GxP[int(np.argmin(values_G))], values_G.min()
    agree = _agreeing(values_G)
    others = values_G[~agree & np.isfinite(values_G)]
    sharp = task.sharpened(LAD_DELTAS[-1]) if task.objective.name == "lad" else task
    _, gradient, hessian = sharp.evaluate(theta[None], None if weights_N is None else weights_N[None])
    held = task.held(theta[None])[0]
    free = np.flatnonzero(~held)
    spectrum = np.abs(np.linalg.eigvalsh(hessian[0][np.ix_(free, free)])) if len(free) else np.ones(1)
    moving = held & (task.low_P < task.high_P)
    return Solution(
        theta=theta,
        value=float(best),
        starts=len(values_G),
        agreeing_fraction=float(agree.mean()),
        gap_to_second=float(others.min() - best) if len(others) else None,
        gradient_norm=float(np.abs(gradient[0][free]).max(initial=0)),
        condition_number=float(spectrum.max() / max(spectrum.min(), 1e-300)),
        at_bound=tuple(task.points.law.parameters[k] for k in np.flatnonzero(moving)),
    )
