"""Refits to other losses at the same points, as a parametric bootstrap draws them.

Dimension letters: R resamples, B those of one batch, N points, P parameters.
"""

import dataclasses

import numpy as np

from analysis import solver
from analysis.solver import Problem
from analysis.uncertainty.posed import Posed


@dataclasses.dataclass(frozen=True)
class Redrawn(Problem):
    """`Problem` whose batch differs in what was seen: where the solver hands weights on, these are ln losses (B, N)."""

    own_weights_N: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))

    def evaluate(self, theta_BxP: np.ndarray, weights_BxN: np.ndarray | None = None, majorised: bool = False):
        """Objective (B,), gradient (B, P) and Hessian (B, P, P) for the ln losses in place of weights."""
        assert weights_BxN is not None
        seen_BxN = weights_BxN

        def rho(f: np.ndarray, rows: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            value, first, second = self.objective.rho(f, seen_BxN[rows], majorised)
            return value * self.own_weights_N, first * self.own_weights_N, second * self.own_weights_N

        return self.summed(theta_BxP, rho)


def refit_to(posed: Posed, log_losses_RxN: np.ndarray) -> np.ndarray:
    """(R, P) optima where the points showed these ln losses instead, all in one batch from the optimum of the data."""
    same = {field.name: getattr(posed.task, field.name) for field in dataclasses.fields(posed.task)}
    task = Redrawn(**same, own_weights_N=posed.weights)
    return solver.descend(task, np.repeat(posed.theta[None], len(log_losses_RxN), axis=0), log_losses_RxN)[0]
