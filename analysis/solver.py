"""Exact fits of a law in batches: many starts and many resamples are one array program.

Starts come from variable projection (for fixed exponents the coefficients are a non-negative least squares). Each is
then finished by a damped Newton iteration with the exact Hessian, semismooth at Huber's corners, on ln coefficients
and exponents with centred inputs. An eigenvalue's absolute value is used, so an indefinite Hessian still descends.
A constant term whose logarithm runs to minus infinity stops at a bound: the data do not identify it.

Dimension letters: B batch, N points, K terms, P parameters, G grid points, R resamples.
"""

import dataclasses
import itertools
from typing import Any

import numpy as np

from analysis import laws
from scaling_laws.config import ConfigError, nearest

OBJECTIVES = ("huber", "lad", "log_mse", "mse")
LAD_DELTAS = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
VANISHED = 14.0  # ln: a term below the smallest loss by this factor counts as absent
CHUNK = 1 << 14  # B x N elements worked on at once: small enough for the cache and for one BLAS thread
MAX_STEP = 2.0
MAX_STARTS = 500
PRECISION = 1e-13  # a promised decrease below this share of the objective ends the descent
STUCK = 1e8  # damping beyond which no exact step goes down
APPROACH = 15  # majorised steps a turn
TURNS = 6
AGREE = 1e-6


@dataclasses.dataclass(frozen=True)
class Objective:
    """What is minimised: the weighted SUM over points of rho(ln prediction, ln loss)."""

    name: str = "huber"
    delta: float = 1e-3

    def __post_init__(self):
        if self.name not in OBJECTIVES:
            raise ConfigError(
                f"objective: {self.name!r}; allowed: {', '.join(OBJECTIVES)}{nearest(self.name, OBJECTIVES)}"
            )
        if not 0 < self.delta < np.inf:
            raise ConfigError(f"delta: {self.delta!r}; allowed: a positive number")

    def rho(self, f: np.ndarray, y: np.ndarray, majorised: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Value, first and second derivative in f = ln prediction, at y = ln loss.

        `majorised`: beyond a corner, where the curvature is 0, that of the parabola which touches from above.
        """
        if self.name == "mse":
            prediction = np.exp(f)
            residual = prediction - np.exp(y)
            return residual**2, 2 * residual * prediction, 2 * prediction * (prediction + residual)
        residual = f - y
        if self.name == "log_mse":
            return residual**2, 2 * residual, np.full_like(residual, 2.0)
        psi = np.clip(residual, -self.delta, self.delta)
        value, bend = psi * (residual - 0.5 * psi), (psi == residual).astype(float)
        if majorised:
            bend = np.divide(psi, residual, out=np.ones_like(residual), where=residual != 0)
        if self.name == "lad":  # Huber over its delta: |r| up to delta / 2
            return value / self.delta, psi / self.delta, bend / self.delta
        return value, psi, bend


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

    def certificate(self) -> dict[str, Any]:
        """The search's evidence, for JSON."""
        names = ("starts", "agreeing_fraction", "gap_to_second", "gradient_norm", "condition_number")
        return {name: getattr(self, name) for name in names} | {"at_bound": list(self.at_bound)}


def evaluate(
    points: laws.Design,
    y_N: np.ndarray,
    objective: Objective,
    theta_BxP: np.ndarray,
    weights_BxN: np.ndarray | None,
    majorised: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Objective (B,), gradient (B, P) and exact Hessian (B, P, P), a chunk of the batch at a time."""
    size = max(1, CHUNK // len(y_N))
    parts = []
    for i in range(0, len(theta_BxP), size):
        weights = None if weights_BxN is None else weights_BxN[i : i + size]
        parts.append(_evaluate(points, y_N, objective, theta_BxP[i : i + size], weights, majorised))
    value, gradient, hessian = zip(*parts, strict=True)
    return np.concatenate(value), np.concatenate(gradient), np.concatenate(hessian)


def _evaluate(points, y_N, objective, theta_BxP, weights_BxN, majorised):
    value_BxN, shares_KxBxN = laws.log_sum(laws.log_terms(points, theta_BxP))
    outer = points.law.outer
    scale_Bx1 = theta_BxP[:, -1:] if outer else np.ones((len(theta_BxP), 1))
    rho, first, second = objective.rho(scale_Bx1 * value_BxN, y_N, majorised)
    if weights_BxN is not None:
        rho, first, second = rho * weights_BxN, first * weights_BxN, second * weights_BxN
    terms = points.terms_KxNxP
    scaled = first * scale_Bx1
    gradient = _sum_slopes(terms, shares_KxBxN, scaled)
    hessian = _sum_squares(terms, shares_KxBxN, second * scale_Bx1**2 - scaled, scaled)
    if outer:
        gradient[:, -1] += (first * value_BxN).sum(axis=1)
        cross = _sum_slopes(terms, shares_KxBxN, first + second * scale_Bx1 * value_BxN)
        hessian[:, -1, :] += cross
        hessian[:, :, -1] += cross
        hessian[:, -1, -1] += (second * value_BxN**2).sum(axis=1)
    return rho.sum(axis=1), gradient, hessian


def _sum_slopes(terms_KxNxP: np.ndarray, shares_KxBxN: np.ndarray, weight_BxN: np.ndarray) -> np.ndarray:
    """(B, P) of sum_i weight_i g_i, where g_i = sum_k share_ki terms_ki is the slope of the log-sum."""
    return np.stack([(weight_BxN * share) @ term for share, term in zip(shares_KxBxN, terms_KxNxP, strict=True)]).sum(0)


def _sum_squares(terms, shares, cross_BxN: np.ndarray, own_BxN: np.ndarray) -> np.ndarray:
    """(B, P, P) of sum_i cross_i g_i g_i^T + own_i sum_k share_ki terms_ki terms_ki^T, as products of matrices."""
    n_terms, n_points, n_parameters = terms.shape
    total = np.zeros((len(cross_BxN), n_parameters**2))
    for k, m in itertools.combinations_with_replacement(range(n_terms), 2):
        outer = terms[k][:, :, None] * terms[m][:, None, :]
        outer = (outer if k == m else outer + outer.transpose(0, 2, 1)).reshape(n_points, -1)
        weight = cross_BxN * shares[m]
        total += ((weight + own_BxN if k == m else weight) * shares[k]) @ outer
    return total.reshape(-1, n_parameters, n_parameters)


def lower_bounds(points: laws.Design, y_N: np.ndarray) -> np.ndarray:
    """(P,) bounds: no term's centred coefficient below exp(-VANISHED) of the smallest loss; exponents are free."""
    bounds = np.full(len(points.law.parameters), -np.inf)
    if not points.law.outer:
        bounds[: len(points.law.terms)] = y_N.min() - VANISHED
    return bounds


def newton(
    points: laws.Design,
    y_N: np.ndarray,
    objective: Objective,
    theta_BxP: np.ndarray,
    weights_BxN: np.ndarray | None = None,
    iterations: int = 100,
    majorised: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the descent from `theta_BxP` ends (B, P), its objective (B,), and whether it ends in a minimum (B,)."""
    low = lower_bounds(points, y_N)
    theta = np.maximum(theta_BxP, low)
    value, gradient, hessian = evaluate(points, y_N, objective, theta, weights_BxN, majorised)
    done, damping, active = (
        np.zeros(len(theta), dtype=bool),
        np.full(len(theta), 1e-3),
        np.flatnonzero(np.isfinite(value)),
    )
    value[~np.isfinite(value)] = np.inf
    for _ in range(iterations):
        step, promised = _step(theta[active], gradient[active], hessian[active], damping[active], low)
        small = promised <= PRECISION * value[active] + 1e-300
        done[active[small]] = True
        active, step = active[~small], step[~small]
        if not len(active):
            break
        trial = np.maximum(theta[active] + step, low)
        weights = None if weights_BxN is None else weights_BxN[active]
        new_value, new_gradient, new_hessian = evaluate(points, y_N, objective, trial, weights, majorised)
        better = new_value < value[active]
        damping[active] *= np.where(better, 0.1, 8)
        moved = active[better]
        theta[moved], value[moved] = trial[better], new_value[better]
        gradient[moved], hessian[moved] = new_gradient[better], new_hessian[better]
        active = active[damping[active] < STUCK]
    return theta, value, done


def _step(theta, gradient, hessian, damping, low):
    """Newton step (b, P) with |eigenvalues| and the decrease it promises (b,); parameters at a bound rest."""
    held = (theta <= low) & (gradient > 0)
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
    points: laws.Design,
    y_N: np.ndarray,
    objective: Objective,
    theta_BxP: np.ndarray,
    weights_BxN: np.ndarray | None = None,
    far: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Local minima (B, P) below `theta_BxP`, and their objectives (B,).

    Exact steps stall where few residuals lie within the corners, and from `far` starts: then steps with the
    majorised curvature, slow but always downwards, carry on. Least absolute deviations come through Huber
    objectives that sharpen towards them.
    """
    if objective.name != "lad":
        return _descend(points, y_N, objective, theta_BxP, weights_BxN, far)
    theta, value = theta_BxP, np.full(len(theta_BxP), np.inf)
    for delta in LAD_DELTAS:
        theta, value = _descend(
            points, y_N, Objective("lad", delta), theta, weights_BxN, far and delta == LAD_DELTAS[0]
        )
    residual = np.abs(laws.log_prediction(points, theta) - y_N)
    weighted = residual if weights_BxN is None else residual * weights_BxN
    return theta, np.where(np.isfinite(value), weighted.sum(axis=1), np.inf)


def _descend(points, y_N, objective, theta_BxP, weights_BxN, far) -> tuple[np.ndarray, np.ndarray]:
    theta, value, open_ = np.array(theta_BxP), np.full(len(theta_BxP), np.inf), np.arange(len(theta_BxP))
    for turn in range(TURNS):
        weights = None if weights_BxN is None else weights_BxN[open_]
        begin = theta[open_]
        if turn or far:
            begin, _, _ = newton(points, y_N, objective, begin, weights, APPROACH, majorised=True)
        theta[open_], value[open_], done = newton(points, y_N, objective, begin, weights)
        open_ = open_[~done]
        if not len(open_):
            break
    return theta, value


def starts(points: laws.Design, y_N: np.ndarray) -> np.ndarray:
    """(G, P) starts: a grid over the exponents, the coefficients of each by non-negative least squares."""
    law = points.law
    n_free = len(law.exponent_names)
    axis = np.array(laws.EXPONENT_GRID)
    per_axis = max(2, min(len(axis), int(MAX_STARTS ** (1 / max(n_free, 1)))))
    axis = axis[np.linspace(0, len(axis) - 1, per_axis).round().astype(int)]
    grids = [axis] * n_free + ([np.array(law.outer_grid)] if law.outer else [])
    exponents = np.array(list(itertools.product(*grids))).reshape(-1, len(grids))
    return project(points, y_N, exponents)


def project(points: laws.Design, y_N: np.ndarray, exponents_GxQ: np.ndarray) -> np.ndarray:
    """(G, P): for each row of exponents the non-negative coefficients of least relative squared error."""
    n_terms = len(points.law.terms)
    theta = np.concatenate([np.zeros((len(exponents_GxQ), n_terms)), exponents_GxQ], axis=1)
    target = y_N / exponents_GxQ[:, -1:] if points.law.outer else np.broadcast_to(y_N, (len(theta), len(y_N)))
    relative_GxNxK = np.exp(np.moveaxis(laws.log_terms(points, theta), 0, -1) - target[:, :, None])
    coefficients = nonnegative(relative_GxNxK)
    floor = 1e-3 * np.exp(np.median(target, axis=1, keepdims=True)) / n_terms
    theta[:, :n_terms] = np.log(np.maximum(coefficients, floor))
    return theta


def nonnegative(x_GxNxK: np.ndarray) -> np.ndarray:
    """(G, K) of min ||x c - 1|| over c >= 0, exactly: every subset of the K columns is tried."""
    gram = np.matmul(x_GxNxK.transpose(0, 2, 1), x_GxNxK)
    moment = x_GxNxK.sum(axis=1)
    best, gain = np.zeros(moment.shape), np.zeros(len(moment))
    n_terms = moment.shape[1]
    for size in range(1, n_terms + 1):
        for subset in map(list, itertools.combinations(range(n_terms), size)):
            block = gram[:, subset][:, :, subset]
            ridge = 1e-12 * np.trace(block, axis1=1, axis2=2)[:, None, None] * np.eye(size)
            part = np.linalg.solve(block + ridge, moment[:, subset][:, :, None])[:, :, 0]
            gained = (part * moment[:, subset]).sum(axis=1)
            wins = (part >= 0).all(axis=1) & (gained > gain)
            gain[wins] = gained[wins]
            best[wins] = 0
            best[np.ix_(wins, subset)] = part[wins]
    return best


def solve(points: laws.Design, y_N: np.ndarray, objective: Objective, weights_N: np.ndarray | None = None) -> Solution:
    """The global minimum over all starts, with its certificate."""
    first = starts(points, y_N)
    weights = None if weights_N is None else np.broadcast_to(weights_N, (len(first), len(y_N)))
    thetas, values = descend(points, y_N, objective, first, weights, far=True)
    best = int(np.argmin(values))
    if not np.isfinite(values[best]):
        raise ConfigError(
            f"law {points.law.name!r}: no start led to a finite objective; allowed: other data, or another law"
        )
    agree = values <= values[best] * (1 + AGREE) + 1e-25
    others = values[~agree & np.isfinite(values)]
    theta = thetas[best]
    sharp = Objective("lad", LAD_DELTAS[-1]) if objective.name == "lad" else objective
    _, gradient, hessian = evaluate(points, y_N, sharp, theta[None], None if weights is None else weights[:1])
    held = theta <= lower_bounds(points, y_N) + 1e-9
    free = np.flatnonzero(~held)
    spectrum = np.abs(np.linalg.eigvalsh(hessian[0][np.ix_(free, free)]))
    return Solution(
        theta=theta,
        value=float(values[best]),
        starts=len(first),
        agreeing_fraction=float(agree.mean()),
        gap_to_second=float(others.min() - values[best]) if len(others) else None,
        gradient_norm=float(np.abs(gradient[0][free]).max()),
        condition_number=float(spectrum.max() / max(spectrum.min(), 1e-300)),
        at_bound=tuple(points.law.parameters[k] for k in np.flatnonzero(held)),
    )
