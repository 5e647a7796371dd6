"""A problem on the surface where quantities keep given values.

Each quantity takes one parameter's place: where theta has the parameter `pivot`, phi has the quantity. What the pivot
must then be follows from the others by Newton's method, and its derivatives by the implicit function theorem; phi's
own entry has gradient 0, so a descent leaves it where it starts. That descent is the damped Newton iteration of
analysis/solver/descent.py without its charts, whose coordinates would move what is held.

Dimension letters: B batch, P parameters, Q quantities.
"""

import dataclasses
from typing import Any

import numpy as np

from analysis.solver import Problem
from analysis.uncertainty.quantity import Quantity

SOLVES, SETTLED = 60, 1e-12  # Newton steps for the pivots, and the miss that ends them
EXACT, APPROACH, TURNS = 40, 15, 8  # steps with the exact and with the majorised Hessian in a turn
PRECISION, STUCK, LONGEST = 1e-11, 1e8, 2.0


@dataclasses.dataclass(frozen=True)
class Tied(Problem):
    """`Problem` in phi (P,): columns `pivots` hold the scaled `quantities`; `around` (P,) is where pivots start."""

    quantities: tuple[Quantity, ...] = ()
    pivots: tuple[int, ...] = ()
    around: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))
    inside: tuple[np.ndarray, np.ndarray] = (np.zeros(0), np.zeros(0))  # the pivots' own limits (Q,)

    def evaluate(self, theta_BxP: np.ndarray, weights_BxN: np.ndarray | None = None, majorised: bool = False):
        """Objective (B,), gradient (B, P) and Hessian (B, P, P) in phi."""
        theta = self.expand(theta_BxP)
        value, gradient, hessian = super().evaluate(theta, weights_BxN, majorised)
        first, second = self._moves(theta)
        bent = np.einsum("bq,bqij->bij", gradient[:, list(self.pivots)], second)
        gradient = np.einsum("bp,bpi->bi", gradient, first)
        hessian = np.matmul(first.transpose(0, 2, 1), np.matmul(hessian, first)) + bent
        sound = np.isfinite(value) & np.isfinite(gradient).all(axis=1) & np.isfinite(hessian).all(axis=(1, 2))
        value[~sound], gradient[~sound], hessian[~sound] = np.inf, 0, 0
        return value, gradient, hessian

    def expand(self, phi_BxP: np.ndarray) -> np.ndarray:
        """(B, P) parameters at which the quantities have the values in phi; NaN where none within the limits do."""
        theta, pivots = np.array(phi_BxP), list(self.pivots)
        theta[:, pivots] = self.around[pivots]
        with np.errstate(all="ignore"):
            for _ in range(SOLVES):
                miss = self._scaled(theta) - phi_BxP[:, pivots]
                if np.nanmax(np.abs(miss), initial=0) < SETTLED * (1 + np.abs(phi_BxP[:, pivots]).max()):
                    break
                theta[:, pivots] -= _solved(self._gradients(theta)[:, :, pivots], miss[:, :, None])[:, :, 0]
        outside = (theta[:, pivots] < self.inside[0] - 1e-9) | (theta[:, pivots] > self.inside[1] + 1e-9)
        theta[~(np.abs(miss) < 1e-6).all(axis=1) | outside.any(axis=1)] = np.nan
        return theta

    def contract(self, theta_BxP: np.ndarray) -> np.ndarray:
        """Inverse of `expand`."""
        phi = np.array(theta_BxP)
        phi[:, list(self.pivots)] = self._scaled(theta_BxP)
        return phi

    def _scaled(self, theta: np.ndarray) -> np.ndarray:
        return np.stack([q.scaled(theta) for q in self.quantities], axis=1)

    def _gradients(self, theta: np.ndarray) -> np.ndarray:
        return np.stack([q.gradient(theta) for q in self.quantities], axis=1)

    def _moves(self, theta_BxP: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """d theta / d phi (B, P, P) with the quantities held, and the second derivative of the pivots (B, Q, P, P)."""
        pivots, n = list(self.pivots), theta_BxP.shape[1]
        with np.errstate(all="ignore"):
            gradients = self._gradients(theta_BxP)
            own = gradients[:, :, pivots]
            first = np.tile(np.eye(n), (len(theta_BxP), 1, 1))
            first[:, pivots] = -_solved(own, gradients)
            first[:, :, pivots] = 0
            curved = np.stack([q.hessian(theta_BxP) for q in self.quantities], axis=1)
            along = np.einsum("bpi,bqpr,brj->bqij", first, curved, first)
            second = -_solved(own, along.reshape(*along.shape[:2], -1)).reshape(along.shape)
        return first, second


def _solved(matrix_BxQxQ: np.ndarray, right: np.ndarray) -> np.ndarray:
    """X of matrix X = right, NaN where the matrix is singular or not finite."""
    if matrix_BxQxQ.shape[1] == 1:
        return right / matrix_BxQxQ
    sound = np.isfinite(matrix_BxQxQ).all(axis=(1, 2)) & (np.abs(np.linalg.det(matrix_BxQxQ)) > 0)
    safe = np.where(sound[:, None, None], matrix_BxQxQ, np.eye(matrix_BxQxQ.shape[1]))
    return np.where(sound[:, None, None], np.linalg.solve(safe, right), np.nan)


def tied(task: Problem, theta: np.ndarray, quantities: tuple[Quantity, ...]) -> Tied | None:
    """`task` with the quantities in the place of the parameters that move them most; None where nothing moves one."""
    gradients = np.stack([q.gradient(theta[None])[0] for q in quantities]) * ~task.still_P
    pivots = []
    for _ in quantities:
        strength = np.abs(gradients).max(axis=0)
        row, pivot = np.unravel_index(np.argmax(np.abs(gradients)), gradients.shape)
        if not np.isfinite(strength).all() or strength[pivot] < 1e-9:
            return None
        pivots.append((row, int(pivot)))
        gradients = gradients - np.outer(gradients[:, pivot], gradients[row] / gradients[row, pivot])
        gradients[row] = 0
    chosen = tuple(pivot for _, pivot in sorted(pivots))
    low, high = task.low_P.copy(), task.high_P.copy()
    own: dict[str, Any] = {"inside": (low[list(chosen)], high[list(chosen)]), "low_P": low, "high_P": high}
    low[list(chosen)], high[list(chosen)] = -np.inf, np.inf
    own |= {"quantities": quantities, "pivots": chosen, "around": np.array(theta)}
    same: dict[str, Any] = {field.name: getattr(task, field.name) for field in dataclasses.fields(task)}
    return Tied(**same | own)


def descend(task: Tied, phi_BxP: np.ndarray, weights_BxN: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Local minima (B, P) below `phi_BxP` with the quantities held, and their objectives (B,).

    Where exact steps stall, since few residuals lie within Huber's corners, majorised ones come between.
    """
    phi, value = np.array(phi_BxP), np.full(len(phi_BxP), np.inf)
    open_ = np.arange(len(phi))
    for _ in range(TURNS):
        weights = None if weights_BxN is None else weights_BxN[open_]
        phi[open_], value[open_], done = _newton(task, phi[open_], weights, EXACT, majorised=False)
        open_ = open_[~done & np.isfinite(value[open_])]
        if not len(open_):
            break
        weights = None if weights_BxN is None else weights_BxN[open_]
        phi[open_], _, _ = _newton(task, phi[open_], weights, APPROACH, majorised=True)
    return phi, value


def _newton(task: Tied, phi_BxP, weights_BxN, iterations: int, majorised: bool):
    """Where the steps end (B, P), the objective (B,), and whether that is a minimum (B,)."""
    phi = task.clip(phi_BxP)
    value, gradient, hessian = task.evaluate(phi, weights_BxN, majorised)
    done, damping = np.zeros(len(phi), dtype=bool), np.full(len(phi), 1e-3)
    active = np.flatnonzero(np.isfinite(value))
    for _ in range(iterations):
        step, promised = _step(task, phi[active], gradient[active], hessian[active], damping[active])
        small = promised <= PRECISION * value[active] + 1e-300
        done[active[small]] = True
        active, trial = active[~small], task.clip(phi[active] + step)[~small]
        if not len(active):
            break
        weights = None if weights_BxN is None else weights_BxN[active]
        found = task.evaluate(trial, weights, majorised)
        better = found[0] < value[active]
        damping[active] *= np.where(better, 0.1, 8)
        moved = active[better]
        phi[moved], value[moved], gradient[moved], hessian[moved] = trial[better], *(part[better] for part in found)
        active = active[damping[active] < STUCK]
    return phi, value, done


def _step(task: Tied, phi, gradient, hessian, damping) -> tuple[np.ndarray, np.ndarray]:
    """Newton step (b, P) with |eigenvalues|, and the decrease that it promises (b,); what is at a bound rests."""
    held = ((phi <= task.low_P) & (gradient > 0)) | ((phi >= task.high_P) & (gradient < 0)) | task.still_P
    gradient = np.where(held, 0.0, gradient)
    scale = np.sqrt(np.maximum(np.abs(np.diagonal(hessian, axis1=1, axis2=2)), 1e-300))
    scale = np.maximum(scale, 1e-7 * scale.max(axis=1, keepdims=True))
    matrix = np.where(held[:, :, None] | held[:, None, :], 0.0, hessian) / (scale[:, :, None] * scale[:, None, :])
    values, vectors = np.linalg.eigh(matrix)
    turned = np.matmul(vectors.transpose(0, 2, 1), (gradient / scale)[:, :, None])[:, :, 0]
    curvature = np.maximum(np.abs(values), 1e-12) + damping[:, None]
    step = -np.matmul(vectors, (turned / curvature)[:, :, None])[:, :, 0] / scale
    shorter = np.minimum(1, LONGEST / np.maximum(np.abs(step).max(axis=1, keepdims=True), 1e-300))
    return np.where(held, 0.0, step * shorter), 0.5 * (turned**2 / curvature).sum(axis=1)
