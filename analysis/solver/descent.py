"""Descent in batches: damped Newton with the exact Hessian, semismooth at Huber's corners, inside a box.

An eigenvalue's absolute value is used, so an indefinite Hessian still descends. Parameters are ln coefficients and
exponents; a step is taken in coordinates that suit it better (see chart.py).

Dimension letters: B batch, N points, P parameters.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from analysis.laws import Design
from analysis.laws.design import Rho
from analysis.solver.chart import Chart
from analysis.solver.objective import Objective

VANISHED = 30.0  # ln: where a constant term stops, this far below the smallest loss
ABSENT = 14.0  # ln: a term that is this far below the law at every point counts as absent
LAD_DELTAS = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
MAX_STEP = 2.0
PRECISION = 1e-13  # a promised decrease below this share of the objective ends the descent
STUCK = 1e8  # damping beyond which no exact step goes down
ROUNDING = 1e-14  # a residual of ln loss that is nothing
WIDE = 1e-2  # corner of the first approach
APPROACH = 15  # majorised steps a turn
TURNS = 12
PRUNE = 1e-3  # of the objective: a start that ended its turn this far above the best is given up
MET = 1e-9  # of the objective: so near a minimum that was reached, a start has met it
ITERATIONS = 25


Settle = Callable[["Problem", np.ndarray, bool], tuple[np.ndarray, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Problem:
    """A law at points, what was seen there, what is minimised, and the box (P,)."""

    points: Design
    y_N: np.ndarray
    objective: Objective
    low_P: np.ndarray
    high_P: np.ndarray
    still_P: np.ndarray  # whether a parameter is not to move

    def evaluate(self, theta_BxP: np.ndarray, weights_BxN: np.ndarray | None = None, majorised: bool = False):
        """Objective (B,), gradient (B, P) and exact Hessian (B, P, P); inf, 0 and 0 where one is not finite."""

        def rho(f: np.ndarray, rows: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            value, first, second = self.objective.rho(f, self.y_N, majorised)
            if weights_BxN is None:
                return value, first, second
            w = weights_BxN[rows]
            return value * w, first * w, second * w

        return self.summed(theta_BxP, rho)

    def summed(self, theta_BxP: np.ndarray, rho: Rho):
        """`Design.summed`, with inf, 0 and 0 where one of the three is not finite."""
        with np.errstate(all="ignore"):  # outside a law's domain a value is not finite, and the step is refused
            value, gradient, hessian = self.points.summed(theta_BxP, rho)
        sound = np.isfinite(value) & np.isfinite(gradient).all(axis=1) & np.isfinite(hessian).all(axis=(1, 2))
        value[~sound], gradient[~sound], hessian[~sound] = np.inf, 0, 0
        return value, gradient, hessian

    def clip(self, theta_BxP: np.ndarray) -> np.ndarray:
        """The nearest point of the box."""
        return np.clip(theta_BxP, self.low_P, self.high_P)

    @property
    def negligible(self) -> float:
        """The objective of residuals at the limit of double precision: noiseless data are fitted when this is left."""
        least = len(self.y_N) * ROUNDING**2
        return least / self.objective.delta if self.objective.name == "lad" else least

    def held(self, theta_BxP: np.ndarray) -> np.ndarray:
        """(B, P) whether a parameter lies on the box's face, or is a coefficient or exponent of absent terms alone."""
        on_face = (theta_BxP <= self.low_P + 1e-9) | (theta_BxP >= self.high_P - 1e-9)
        absent_KxB = self.absent(theta_BxP)
        reads_KxP = self.points.slopes_KxNxP.any(axis=1)
        present = (~absent_KxB).T.astype(float) @ reads_KxP.astype(float) > 0
        silent = reads_KxP.any(axis=0) & ~present
        return on_face | silent

    def absent(self, theta_BxP: np.ndarray) -> np.ndarray:
        """(K, B) whether a term is nowhere above exp(-ABSENT) of the law."""
        z_KxBxN = self.points.log_terms(theta_BxP)
        return (z_KxBxN - z_KxBxN.max(axis=0)).max(axis=2) < -ABSENT

    def take(self, rows: np.ndarray) -> "Problem":
        """The same at some of the points."""
        return dataclasses.replace(self, points=self.points.take(rows), y_N=self.y_N[rows])

    def widened(self) -> "Problem":
        """The same with a Huber corner beyond which few residuals lie once a start has come near: fewer kinks."""
        return self.sharpened(max(self.objective.delta, WIDE))

    def sharpened(self, delta: float) -> "Problem":
        """The same with another Huber corner."""
        return dataclasses.replace(self, objective=Objective(self.objective.name, delta))


def problem(points: Design, y_N: np.ndarray, objective: Objective, fixed: dict[str, float] | None = None) -> Problem:
    """The box: no constant term below exp(-VANISHED) of the smallest loss, shapes within their limits.

    `fixed` holds parameters of the solver (coefficients as logarithms, uncentred) at a value; a coefficient only
    where every exponent that its centring reads is fixed too.
    """
    law = points.law
    low, high = np.full(len(law.parameters), -np.inf), np.full(len(law.parameters), np.inf)
    if law.floor is not None:
        low[law.floor] = y_N.min() - VANISHED
    for parameter in law.shaped:
        k = law.parameters.index(parameter.name)
        low[k], high[k] = parameter.low, parameter.high
    if fixed:
        theta = np.array([fixed.get(name, 0.0) for name in law.parameters])
        theta = points.centre(theta)
        for name in fixed:
            k = law.parameters.index(name)
            low[k] = high[k] = theta[k]
    return Problem(points, y_N, objective, low, high, low == high)


def newton(
    task: Problem,
    theta_BxP: np.ndarray,
    weights_BxN: np.ndarray | None = None,
    iterations: int = ITERATIONS,
    majorised: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the descent from `theta_BxP` ends (B, P), its objective (B,), and whether it ends in a minimum (B,)."""
    theta = task.clip(theta_BxP)
    value, gradient, hessian = task.evaluate(theta, weights_BxN, majorised)
    done, damping = np.zeros(len(theta), dtype=bool), np.full(len(theta), 1e-3)
    active = np.flatnonzero(np.isfinite(value))
    for _ in range(iterations):
        trial, promised = _trial(task, theta[active], gradient[active], hessian[active], damping[active], not majorised)
        small = promised <= PRECISION * value[active] + task.negligible
        done[active[small]] = True
        active, trial = active[~small], trial[~small]
        if not len(active):
            break
        weights = None if weights_BxN is None else weights_BxN[active]
        new_value, new_gradient, new_hessian = task.evaluate(trial, weights, majorised)
        better = new_value < value[active]
        damping[active] *= np.where(better, 0.1, 8)
        moved = active[better]
        theta[moved], value[moved] = trial[better], new_value[better]
        gradient[moved], hessian[moved] = new_gradient[better], new_hessian[better]
        active = active[damping[active] < STUCK]
    return theta, value, done


def _trial(task: Problem, theta, gradient, hessian, damping, follow: bool) -> tuple[np.ndarray, np.ndarray]:
    """Where a step leads (b, P), inside the box, and the decrease that it promises (b,).

    `follow`: in coordinates that follow valleys. An exponent cannot change its sign in them, so far starts go without.
    """
    if task.points.law.floor is None:
        step, promised = _step(task, theta, gradient, hessian, damping)
        return task.clip(theta + step), promised
    chart = Chart.at(task.points.law, theta, float(task.y_N.min()), VANISHED, follow)
    step, promised = _step(task, theta, *chart.derivatives(gradient, hessian), damping)
    return task.clip(chart.retract(step)), promised


def _step(task: Problem, theta, gradient, hessian, damping):
    """Newton step (b, P) with |eigenvalues| and the decrease that it promises (b,); parameters at a bound rest."""
    held = ((theta <= task.low_P) & (gradient > 0)) | ((theta >= task.high_P) & (gradient < 0))
    held |= task.still_P
    gradient = np.where(held, 0.0, gradient)
    free = ~held[:, :, None] & ~held[:, None, :]
    scale = np.sqrt(np.maximum(np.abs(np.diagonal(hessian, axis1=1, axis2=2)), 1e-300))
    scale = np.maximum(scale, 1e-7 * scale.max(axis=1, keepdims=True))
    matrix = np.where(free, hessian, 0.0) / (scale[:, :, None] * scale[:, None, :])
    values, vectors = np.linalg.eigh(matrix)
    turned = np.matmul(vectors.transpose(0, 2, 1), (gradient / scale)[:, :, None])[:, :, 0]
    curvature = np.maximum(np.abs(values), 1e-12) + damping[:, None]
    step = -np.matmul(vectors, (turned / curvature)[:, :, None])[:, :, 0] / scale
    promised = 0.5 * (turned**2 / curvature).sum(axis=1)
    longest = np.abs(step).max(axis=1, keepdims=True)
    return np.where(held, 0.0, step * np.minimum(1, MAX_STEP / np.maximum(longest, 1e-300))), promised


def descend(
    task: Problem, theta_BxP: np.ndarray, weights_BxN: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Local minima (B, P) below `theta_BxP`, near them, and their objectives (B,): the refits of resamples."""
    return _sharpening(task, theta_BxP, weights_BxN, lambda task, theta, _: _turns(task, theta, weights_BxN, far=False))


def search(task: Problem, theta_GxP: np.ndarray, weights_N: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Where the descents from far starts end (G, P), and their objectives (G,).

    A start is given up, where it is, once others are PRUNE below it; one that has met the best minimum need not be
    polished further.
    """
    weights = None if weights_N is None else np.broadcast_to(weights_N, (len(theta_GxP), len(task.y_N)))
    return _sharpening(
        task, theta_GxP, weights, lambda task, theta, first: _turns(task, theta, weights, far=first, together=True)
    )


def _sharpening(task: Problem, theta, weights_BxN, settle: Settle) -> tuple[np.ndarray, np.ndarray]:
    """Least absolute deviations come through Huber objectives that sharpen towards them; others at once."""
    if task.objective.name != "lad":
        return settle(task, theta, True)
    value = np.full(len(theta), np.inf)
    for delta in LAD_DELTAS:
        theta, value = settle(task.sharpened(delta), theta, delta == LAD_DELTAS[0])
    residual = np.abs(task.points.log_prediction(theta) - task.y_N)
    weighted = residual if weights_BxN is None else residual * weights_BxN
    return theta, np.where(np.isfinite(value), weighted.sum(axis=1), np.inf)


def _turns(task: Problem, theta_BxP, weights_BxN, far: bool, together: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Exact steps, and where they stall (few residuals within the corners, or a `far` start) majorised ones between.

    The majorised curvature is slow but always leads downwards. `together`: the rows are starts of one search.
    """
    theta, value, open_ = np.array(theta_BxP), np.full(len(theta_BxP), np.inf), np.arange(len(theta_BxP))
    for turn in range(TURNS):
        weights = None if weights_BxN is None else weights_BxN[open_]
        begin = theta[open_]
        if turn or far:
            wide = task.widened() if far and not turn else task
            begin, _, _ = newton(wide, begin, weights, APPROACH, majorised=True)
        theta[open_], value[open_], done = newton(task, begin, weights)
        ended = open_[done]
        open_ = open_[~done]
        if together:
            best = value.min()
            near = task.negligible
            open_ = open_[value[open_] <= best * (1 + PRUNE) + near]
            if len(ended) and value[ended].min() <= best * (1 + MET) + near:
                open_ = open_[value[open_] > best * (1 + MET) + near]
        if not len(open_):
            break
    return theta, value
