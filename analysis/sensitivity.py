"""How far a fit moves with choices that nobody can justify to the last digit: the objective, its delta, single points.

Each variation is descended to from the optimum of the fit itself, without a search of its own, so that the spread
costs a fraction of the fit and can always stand beside the headline.
"""

import dataclasses
from typing import Any

import numpy as np

from analysis import laws, solver
from analysis.frontier import exponent_of_n
from analysis.solver import Objective, Problem

OBJECTIVES = (
    Objective("huber", 1e-2),
    Objective("huber", 1e-3),
    Objective("huber", 1e-4),
    Objective("log_mse"),
    Objective("mse"),
)
FEW = 0.05  # share of the points that are left out at a time
MANY_POINTS = 20_000  # beyond these one point in twenty moves nothing, and the descents would cost


@dataclasses.dataclass(frozen=True)
class Variation:
    """One other choice: what was changed, and the coefficients (and the exponent a, where there is one) under it."""

    name: str
    coefficients: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"name": self.name, "coefficients": self.coefficients}


def variations(
    task: Problem, theta_P: np.ndarray, weights_N: np.ndarray | None, flops_N: np.ndarray | None, p: float = 0.0
) -> tuple[Variation, ...]:
    """Fits under other objectives, and without the highest losses, the largest residuals, the ends in C.

    `flops_N` are the runs' FLOPs, or None where they are unknown; `p` is that of C = k N^(1+p) D.
    """
    if len(task.y_N) > MANY_POINTS:
        return ()
    found = [(_objective_name(other), _refit(task, other, theta_P, weights_N)) for other in OBJECTIVES]
    kept = _kept(task, theta_P, flops_N)
    if kept:
        weights = np.array([*kept.values()]) * (1 if weights_N is None else weights_N)
        thetas, _ = solver.descend(task, np.repeat(theta_P[None], len(kept), axis=0), weights)
        found += zip(kept, thetas, strict=True)
    return tuple(Variation(name, _coefficients(task, theta, p)) for name, theta in found)


def spread(varied: tuple[Variation, ...]) -> dict[str, tuple[float, float]]:
    """Smallest and largest value of every coefficient over the variations."""
    names = varied[0].coefficients if varied else {}
    columns = {name: np.array([one.coefficients[name] for one in varied]) for name in names}
    return {name: (float(values.min()), float(values.max())) for name, values in columns.items()}


def _objective_name(objective: Objective) -> str:
    return f"{objective.name} {objective.delta:g}" if objective.name == "huber" else objective.name


def _refit(task: Problem, objective: Objective, theta_P: np.ndarray, weights_N: np.ndarray | None) -> np.ndarray:
    weights = None if weights_N is None else weights_N[None]
    thetas, _ = solver.descend(dataclasses.replace(task, objective=objective), theta_P[None], weights)
    return thetas[0]


def _kept(task: Problem, theta_P: np.ndarray, flops_N: np.ndarray | None) -> dict[str, np.ndarray]:
    """What is left out -> (n,) ones and zeros; only where enough is left to fit."""
    few = max(1, round(FEW * len(task.y_N)))
    residual = np.abs(task.points.log_prediction(theta_P[None])[0] - task.y_N)
    orders = {"highest losses": task.y_N, "largest residuals": residual}
    if flops_N is not None and np.ptp(flops_N) > 0:
        orders |= {"smallest C": -flops_N, "largest C": flops_N}
    kept = {}
    for name, order in orders.items():
        left = np.ones(len(order))
        left[np.argsort(order, kind="stable")[-few:]] = 0
        kept[f"without the {few} {name}"] = left
    return kept if len(task.y_N) - few > len(theta_P) else {}


def _coefficients(task: Problem, theta_P: np.ndarray, p: float) -> dict[str, float]:
    law = task.points.law
    values = {name: float(value) for name, value in laws.natural(law, task.points.uncentre(theta_P)).items()}
    if law.surface is None or law.target != "loss":
        return values
    return values | {"a": float(exponent_of_n(law.surface(values), p))}
