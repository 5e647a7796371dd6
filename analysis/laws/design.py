"""A law at given points, ready for a solver: predictions, and objectives with gradient and exact Hessian.

Dimension letters: B batch of parameter vectors, N points, K terms, P parameters.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping

import numpy as np

from analysis.laws import jets
from analysis.laws.law import Columns, Law, parameters_of

CHUNK = 1 << 14  # B x N elements worked on at once: small enough for the cache and for one BLAS thread
CURVED_CHUNK = 1 << 12  # the same where every element carries a Hessian

Rho = Callable[[np.ndarray, slice], tuple[np.ndarray, np.ndarray, np.ndarray]]
Summed = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Design:
    """Term k at point i is exp(theta . slopes[k, i] + offset[k, i] + shape_k); logarithms of inputs are centred."""

    law: Law
    inputs: Columns
    slopes_KxNxP: np.ndarray
    offset_KxN: np.ndarray
    shift_KxP: np.ndarray  # ln c_k (uncentred) = ln c_k (centred) + shift[k] . theta + fixed[k]
    fixed_K: np.ndarray

    def uncentre(self, theta: np.ndarray) -> np.ndarray:
        """(..., P) parameters for centred inputs -> parameters for the inputs as given."""
        return self._shifted(theta, 1)

    def centre(self, theta: np.ndarray) -> np.ndarray:
        """Inverse of `uncentre` (the shift reads exponents only)."""
        return self._shifted(theta, -1)

    def _shifted(self, theta: np.ndarray, sign: int) -> np.ndarray:
        out = np.array(theta, dtype=float)
        out[..., : len(self.fixed_K)] += sign * (theta @ self.shift_KxP.T + self.fixed_K)
        return out

    def take(self, rows: np.ndarray) -> "Design":
        """The same law at some of the points, centred as before."""
        inputs = {name: values[rows] for name, values in self.inputs.items()}
        slopes, offset = self.slopes_KxNxP[:, rows], self.offset_KxN[:, rows]
        return dataclasses.replace(self, inputs=inputs, slopes_KxNxP=slopes, offset_KxN=offset)

    @property
    def is_curved(self) -> bool:
        """Whether a term has a shape, so that slopes depend on the parameters."""
        return any(term.shape for term in self.law.terms)

    def log_terms(self, theta_BxP: np.ndarray) -> np.ndarray:
        """(K, B, N) logarithms of the terms."""
        z = self._straight_terms(theta_BxP)
        for k, _, shape in self._shapes(theta_BxP):
            z[k] += shape.value
        return z

    def _straight_terms(self, theta_BxP: np.ndarray) -> np.ndarray:
        return np.matmul(theta_BxP, self.slopes_KxNxP.transpose(0, 2, 1)) + self.offset_KxN[:, None, :]

    def log_prediction(self, theta_BxP: np.ndarray) -> np.ndarray:
        """(B, N) logarithm of the law."""
        value, _ = log_sum(self.log_terms(theta_BxP))
        return value * theta_BxP[:, -1:] if self.law.outer else value

    def log_prediction_each(self, theta_NxP: np.ndarray) -> np.ndarray:
        """(N,) logarithm of the law, each point with parameters of its own."""
        z_KxN = np.einsum("np,knp->kn", theta_NxP, self.slopes_KxNxP) + self.offset_KxN
        for k, _, shape in self._shapes(theta_NxP[None]):
            z_KxN[k] += shape.value[0]
        value = log_sum(z_KxN)[0]
        return value * theta_NxP[:, -1] if self.law.outer else value

    def summed(self, theta_BxP: np.ndarray, rho: Rho) -> Summed:
        """Sum over points of rho(ln prediction): value (B,), gradient (B, P), exact Hessian (B, P, P).

        `rho` takes (b, N) predictions and the slice of the batch they belong to, and returns value and two derivatives.
        """
        size = max(1, (CURVED_CHUNK if self.is_curved else CHUNK) // self.slopes_KxNxP.shape[1])
        part = self._summed_curved if self.is_curved else self._summed_straight
        slices = [slice(i, i + size) for i in range(0, len(theta_BxP), size)]
        value, gradient, hessian = zip(*(part(theta_BxP[s], rho, s) for s in slices), strict=True)
        return np.concatenate(value), np.concatenate(gradient), np.concatenate(hessian)

    def _summed_straight(self, theta: np.ndarray, rho: Rho, rows: slice) -> Summed:
        value_BxN, shares_KxBxN = log_sum(self.log_terms(theta))
        outer = self.law.outer
        scale_Bx1 = theta[:, -1:] if outer else np.ones((len(theta), 1))
        total, first, second = rho(scale_Bx1 * value_BxN, rows)
        scaled = first * scale_Bx1
        gradient = _sum_slopes(self.slopes_KxNxP, shares_KxBxN, scaled)
        cross = second * scale_Bx1**2 - scaled
        hessian = _sum_squares(self._pairs, shares_KxBxN, cross, scaled, theta.shape[1])
        if outer:
            gradient[:, -1] += (first * value_BxN).sum(axis=1)
            cross = _sum_slopes(self.slopes_KxNxP, shares_KxBxN, first + second * scale_Bx1 * value_BxN)
            hessian[:, -1, :] += cross
            hessian[:, :, -1] += cross
            hessian[:, -1, -1] += (second * value_BxN**2).sum(axis=1)
        return total.sum(axis=1), gradient, hessian

    @functools.cached_property
    def _pairs(self):
        return _products(self.slopes_KxNxP)

    def _summed_curved(self, theta: np.ndarray, rho: Rho, rows: slice) -> Summed:
        value_BxN, shares_KxBxN, own_KxBxNxP, bends = self._curved(theta)
        slope_BxNxP = np.einsum("kbn,kbnp->bnp", shares_KxBxN, own_KxBxNxP)
        total, first, second = rho(value_BxN, rows)
        gradient = np.einsum("bn,bnp->bp", first, slope_BxNxP)
        hessian = _squares(slope_BxNxP, second - first)
        for share, own in zip(shares_KxBxN, own_KxBxNxP, strict=True):
            hessian += _squares(own, first * share)
        for k, (columns, bend) in bends.items():
            hessian[:, columns[:, None], columns] += np.einsum("bn,bnpq->bpq", first * shares_KxBxN[k], bend)
        return total.sum(axis=1), gradient, hessian

    def _curved(self, theta: np.ndarray):
        """ln law (B, N), shares (K, B, N), each term's slope (K, B, N, P), and the curvature of the shapes.

        The last: term -> (its parameters' columns, (b, n, Q, Q)). A law with shapes has no outer exponent.
        """
        straight = np.broadcast_to(self.slopes_KxNxP[:, None], (len(self.law.terms), len(theta), *self._np))
        own, bends, z = np.array(straight), {}, self._straight_terms(theta)
        for k, columns, shape in self._shapes(theta):
            z[k] += shape.value
            own[k][..., columns] += shape.gradient
            bends[k] = columns, np.broadcast_to(shape.hessian, (*z[k].shape, *shape.hessian.shape[2:]))
        return *log_sum(z), own, bends

    @property
    def _np(self) -> tuple[int, int]:
        return self.slopes_KxNxP.shape[1], self.slopes_KxNxP.shape[2]

    def slope(self, theta_BxP: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """ln prediction (B, N) and its slope (B, N, P)."""
        value, shares, own, _ = self._curved(theta_BxP)
        slope = np.einsum("kbn,kbnp->bnp", shares, own)
        if self.law.outer:
            slope *= theta_BxP[:, -1:, None]
            slope[..., -1] += value
            value = value * theta_BxP[:, -1:]
        return value, slope

    def _shapes(self, theta_BxP: np.ndarray):
        """(term, columns of the parameters it reads, jet in these alone) of every term with a shape."""
        if not self.is_curved:
            return
        names, values = self.law.parameters, self.uncentre(theta_BxP)
        slopes = np.eye(len(names))
        slopes[: len(self.fixed_K)] += self.shift_KxP
        for k, term in enumerate(self.law.terms):
            if term.shape:
                rows = [names.index(name) for name in term.reads]
                columns = np.flatnonzero(slopes[rows].any(axis=0))
                q = jets.linear(values[..., rows], slopes[rows][:, columns])
                yield k, columns, term.shape(dict(zip(term.reads, q, strict=True)), self.inputs)


def _squares(slope_BxNxP: np.ndarray, weight_BxN: np.ndarray) -> np.ndarray:
    """(B, P, P) of sum_i weight_i g_i g_i^T."""
    return np.matmul((slope_BxNxP * weight_BxN[..., None]).transpose(0, 2, 1), slope_BxNxP)


def design(law: Law, inputs: Mapping[str, np.ndarray], centred: bool = True) -> Design:
    """The law at N points; `inputs` maps each of `law.inputs` to a positive (N,) array."""
    values = {name: np.asarray(inputs[name], dtype=float) for name in law.inputs}
    n_terms, n_points, n_parameters = len(law.terms), len(next(iter(values.values()))), len(law.parameters)
    slopes = np.zeros((n_terms, n_points, n_parameters))
    offset, fixed = np.zeros((n_terms, n_points)), np.zeros(n_terms)
    shift = np.zeros((n_terms, n_parameters))
    for k, term in enumerate(law.terms):
        slopes[k, :, k] = 1
        for power in term.powers:
            logs = np.log(values[power.input])
            mean = logs.mean() if centred else 0.0
            if isinstance(power.exponent, str):
                column = law.parameters.index(power.exponent)
                slopes[k, :, column] += power.scale * (logs - mean)
                shift[k, column] -= power.scale * mean
            else:
                offset[k] += power.scale * power.exponent * (logs - mean)
                fixed[k] -= power.scale * power.exponent * mean
    return Design(law, values, slopes, offset, shift, fixed)


def log_sum(z_KxBxN: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """logsumexp over the terms (B, N) and each term's share (K, B, N)."""
    top = z_KxBxN.max(axis=0)
    shares = np.exp(z_KxBxN - top)
    total = shares.sum(axis=0)
    shares /= total
    return top + np.log(total), shares


def value(law: Law, coefficients: Mapping[str, float | np.ndarray], inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """The law (..., N) of published coefficients of shape (...,) at points (N,)."""
    theta = parameters_of(law, coefficients)
    logs = design(law, inputs, centred=False).log_prediction(theta.reshape(-1, theta.shape[-1]))
    with np.errstate(over="ignore"):  # a resample that knows nothing of a place may say infinity there
        return np.exp(logs).reshape(*theta.shape[:-1], -1)


def value_each(law: Law, coefficients: Mapping[str, np.ndarray], inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """The law (B, M) where row b has the published coefficients (B,) and inputs (1 or B, M) of row b."""
    theta_BxP = parameters_of(law, coefficients)
    arrays = np.broadcast_arrays(*inputs.values(), np.zeros((len(theta_BxP), 1)))[:-1]
    rows, columns = arrays[0].shape
    flat = {name: array.ravel() for name, array in zip(inputs, arrays, strict=True)}
    logs = design(law, flat, centred=False).log_prediction_each(np.repeat(theta_BxP, columns, axis=0))
    return np.exp(logs).reshape(rows, columns)


def value_and_gradient(law: Law, theta_BxP: np.ndarray, inputs: Mapping[str, np.ndarray]) -> tuple:
    """The law (B, N) and its gradient (B, N, P) in the solver's uncentred parameters (coefficients as logarithms)."""
    f, slope = design(law, inputs, centred=False).slope(np.atleast_2d(theta_BxP))
    return np.exp(f), np.exp(f)[..., None] * slope


def _sum_slopes(slopes_KxNxP: np.ndarray, shares_KxBxN: np.ndarray, weight_BxN: np.ndarray) -> np.ndarray:
    """(B, P) of sum_i weight_i g_i, where g_i = sum_k share_ki slopes_ki is the slope of the log-sum."""
    return np.stack([(weight_BxN * share) @ own for share, own in zip(shares_KxBxN, slopes_KxNxP, strict=True)]).sum(0)


def _products(slopes_KxNxP: np.ndarray) -> list[tuple[int, int, np.ndarray, np.ndarray, np.ndarray]]:
    """For every pair of terms k <= m: products (N, M) of their non-zero slopes, and where these go in a flat (P, P).

    The last array holds the transposed places, empty where k = m has both orders already.
    """
    n_parameters = slopes_KxNxP.shape[2]
    columns = [np.flatnonzero(own.any(axis=0)) for own in slopes_KxNxP]
    found = []
    for k, m in itertools.combinations_with_replacement(range(len(slopes_KxNxP)), 2):
        i, j = (places.ravel() for places in np.meshgrid(columns[k], columns[m], indexing="ij"))
        products = slopes_KxNxP[k][:, i] * slopes_KxNxP[m][:, j]
        found.append((k, m, products, i * n_parameters + j, (j * n_parameters + i)[: 0 if k == m else None]))
    return found


def _sum_squares(products, shares, cross_BxN: np.ndarray, own_BxN: np.ndarray, n_parameters: int) -> np.ndarray:
    """(B, P, P) of sum_i cross_i g_i g_i^T + own_i sum_k share_ki slopes_ki slopes_ki^T, as products of matrices."""
    total = np.zeros((len(cross_BxN), n_parameters**2))
    for k, m, pairs_NxM, places, transposed in products:
        weight = cross_BxN * shares[m]
        part = ((weight + own_BxN if k == m else weight) * shares[k]) @ pairs_NxM
        total[:, places] += part
        if len(transposed):
            total[:, transposed] += part
    return total.reshape(-1, n_parameters, n_parameters)
