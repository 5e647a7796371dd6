"""A problem at its optimum, and the spread of its parameters to first order.

Dimension letters: N points, P parameters, F parameters free to move, U units (runs or trunks).
"""

import dataclasses
import functools

import numpy as np

from analysis.solver import Objective, Problem, descend
from analysis.solver.descent import LAD_DELTAS

FLAT = 1e-13  # least curvature, of that of a parameter alone
SQUARED = ("log_mse", "mse", "log1p_mse")


@dataclasses.dataclass(frozen=True)
class Posed:
    """`task` and its optimum `theta` (P,), with the weights (N,) of the runs (None: alike) and their units (N,)."""

    task: Problem
    theta: np.ndarray
    units_N: np.ndarray
    weights_N: np.ndarray | None = None

    @functools.cached_property
    def free(self) -> np.ndarray:
        """(F,) columns of the parameters that no bound holds."""
        return np.flatnonzero(~self.task.held(self.theta[None])[0])

    @functools.cached_property
    def weights(self) -> np.ndarray:
        """(N,) weights, 1 where all count alike."""
        return np.ones(len(self.units_N)) if self.weights_N is None else self.weights_N

    @functools.cached_property
    def unit_of(self) -> np.ndarray:
        """(N,) units numbered from 0 without gaps."""
        return np.unique(self.units_N, return_inverse=True)[1]

    @property
    def n_units(self) -> int:
        """How many runs or trunks there are."""
        return int(self.unit_of.max()) + 1

    @property
    def dof(self) -> int:
        """Degrees of freedom: units less parameters that moved, at least 1."""
        return max(self.n_units - len(self.free), 1)

    @property
    def is_plain(self) -> bool:
        """Whether every run is a unit and counts alike."""
        return self.n_units == len(self.units_N) and self.weights_N is None

    @functools.cached_property
    def psi_and_bend(self) -> tuple[np.ndarray, np.ndarray]:
        """(N,) derivative of each run's part of the objective in ln prediction, and the derivative's expected slope.

        The slope of Huber's psi is 1 inside the corners: its expectation is the share of residuals there, read off a
        smooth density (`share_inside`), since few residuals lie inside narrow corners.
        """
        f = self.task.points.log_prediction(self.theta[None])[0]
        objective = self.task.objective
        if objective.name in SQUARED:
            _, psi, _ = objective.rho(f, self.task.y_N)
            slopes = {"log_mse": 1.0, "mse": np.exp(f), "log1p_mse": 0.5 * (1 + np.tanh(0.5 * f))}
            return psi, np.broadcast_to(2 * slopes[objective.name] ** 2, f.shape)
        _, psi, _ = objective.rho(f, self.task.y_N)
        return psi, np.full(len(f), share_inside(f - self.task.y_N, objective.delta, len(self.free)))

    @functools.cached_property
    def scale(self) -> float:
        """kappa: 2 (rho_constrained - rho_min) / kappa is about chi-squared (Ronchetti 1982).

        E psi^2 / E psi' with n - p for n; of squared errors 2 RSS / (n - p), which makes it the F statistic.
        """
        psi, bend = self.psi_and_bend
        w, dof = self.weights, max(len(self.weights) - len(self.free), 1)
        if self.task.objective.name in SQUARED:
            return 2 * float(self.objective_at(self.theta[None])[0]) / dof
        return float((w * psi**2).sum() / dof / (w * bend).mean())

    @functools.cached_property
    def _spread(self) -> tuple[np.ndarray, np.ndarray]:
        """Bread (F, F): the inverse of the expected Hessian; influence (U, F) of each unit on the parameters."""
        psi, bend = self.psi_and_bend
        _, slope = self.task.points.slope(self.theta[None])
        slope_NxF = slope[0][:, self.free]
        hessian = (slope_NxF * (self.weights * bend)[:, None]).T @ slope_NxF
        bread = _inverse(hessian)
        scores = np.zeros((self.n_units, len(self.free)))
        np.add.at(scores, self.unit_of, slope_NxF * (self.weights * psi)[:, None])
        return bread, scores @ bread

    @property
    def bread(self) -> np.ndarray:
        """(P, P) inverse of the expected Hessian; zero for parameters at a bound."""
        return self._filled(self._spread[0])

    @property
    def influence(self) -> np.ndarray:
        """(U, P) by which the parameters move, to first order, where a unit is left out."""
        out = np.zeros((self.n_units, len(self.theta)))
        out[:, self.free] = self._spread[1]
        return out

    @functools.cached_property
    def covariance(self) -> np.ndarray:
        """(P, P) sandwich over units, H^-1 (sum_u g_u g_u^T) H^-1, times U / (U - p)."""
        influence = self._spread[1]
        return self._filled(influence.T @ influence * (self.n_units / self.dof))

    def _filled(self, matrix_FxF: np.ndarray) -> np.ndarray:
        out = np.zeros((len(self.theta), len(self.theta)))
        out[np.ix_(self.free, self.free)] = matrix_FxF
        return out

    def scale_along(self, gradient_P: np.ndarray) -> float:
        """kappa for one quantity: `scale`, or where runs share units or weigh differently, from the sandwich.

        Then it is the ratio of the quantity's robust variance to that by curvature (Rotnitzky and Jewell 1990).
        """
        if self.is_plain:
            return self.scale
        return float(gradient_P @ self.covariance @ gradient_P / max(gradient_P @ self.bread @ gradient_P, 1e-300))

    def objective_at(self, theta_BxP: np.ndarray) -> np.ndarray:
        """(B,) objective, inf where it is not finite."""
        return self.task.evaluate(theta_BxP, self.weights_of(len(theta_BxP)))[0]

    def weights_of(self, rows: int) -> np.ndarray | None:
        """(rows, N) weights for a batch, or None where all runs count alike."""
        return None if self.weights_N is None else np.broadcast_to(self.weights_N, (rows, len(self.weights_N)))

    @functools.cached_property
    def smooth(self) -> "Posed":
        """The same with derivatives: absolute deviations as Huber's loss, its corner a twentieth of the typical one."""
        if self.task.objective.name != "lad":
            return self
        residual = np.abs(self.task.points.log_prediction(self.theta[None])[0] - self.task.y_N)
        corner = max(0.05 * float(np.median(residual)), LAD_DELTAS[-1])
        task = dataclasses.replace(self.task, objective=Objective("huber", corner))
        theta, _ = descend(task, self.theta[None], self.weights_of(1))
        return dataclasses.replace(self, task=task, theta=theta[0])


def _inverse(matrix_FxF: np.ndarray) -> np.ndarray:
    """Inverse of a positive semi-definite matrix; a direction without curvature gets a very large variance, not 0."""
    size = np.sqrt(np.maximum(np.diag(matrix_FxF), 1e-200))
    values, vectors = np.linalg.eigh(matrix_FxF / np.outer(size, size))
    scaled = vectors / size[:, None]
    return (scaled / np.maximum(values, FLAT)) @ scaled.T


def share_inside(residual_N: np.ndarray, delta: float, n_parameters: int) -> float:
    """Probability that a residual lies within +-delta, by Epanechnikov's kernel (Silverman 1986, section 3.4).

    The fit draws as many residuals to 0 as it has parameters; these are left out, as by Koenker 2005, section 3.4.
    """
    n = len(residual_N)
    kept = residual_N[np.argsort(np.abs(residual_N))[min(n_parameters, n - 1) :]]
    sd, quartiles = float(np.std(residual_N)), np.quantile(residual_N, [0.25, 0.75])
    width = max(1.99 * min(sd, float(np.ptp(quartiles)) / 1.349 or sd) * n**-0.2, 1e-300)
    return float(np.mean(_share_below((delta - kept) / width) - _share_below((-delta - kept) / width)))


def _share_below(x: np.ndarray) -> np.ndarray:
    x = np.clip(x, -1, 1)
    return 0.5 + 0.75 * x - 0.25 * x**3
