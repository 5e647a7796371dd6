"""Value, gradient and Hessian of a formula at once: truncated Taylor arithmetic in NumPy.

A formula written with these operations returns exact first and second derivatives in its parameters, in batches and
without compiling. Griewank and Walther 2008, chapter 13.

Dimension letters: B batch of parameter vectors, N points, P parameters; any of them may be 1 and broadcast.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Jet:
    """value (B, N), gradient (B, N, P), Hessian (B, N, P, P)."""

    value: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray

    __array_ufunc__ = None  # array * jet is a jet, not an array of jets

    def __add__(self, other: "Number") -> "Jet":
        if not isinstance(other, Jet):
            return Jet(self.value + other, self.gradient, self.hessian)
        return Jet(self.value + other.value, self.gradient + other.gradient, self.hessian + other.hessian)

    def __mul__(self, other: "Number") -> "Jet":
        if not isinstance(other, Jet):
            return self.chain(self.value * other, np.asarray(other, dtype=float), None)
        cross = _outer(self.gradient, other.gradient)
        hessian = self.hessian * _two(other.value) + other.hessian * _two(self.value) + cross + cross.swapaxes(-1, -2)
        gradient = self.gradient * _one(other.value) + other.gradient * _one(self.value)
        return Jet(self.value * other.value, gradient, hessian)

    def __neg__(self) -> "Jet":
        return Jet(-self.value, -self.gradient, -self.hessian)

    def __sub__(self, other: "Number") -> "Jet":
        return self + -other

    def __rsub__(self, other: np.ndarray | float) -> "Jet":
        return -self + other

    def __truediv__(self, other: "Number") -> "Jet":
        return self * (reciprocal(other) if isinstance(other, Jet) else 1 / other)

    def __rtruediv__(self, other: np.ndarray | float) -> "Jet":
        return reciprocal(self) * other

    __radd__ = __add__
    __rmul__ = __mul__

    def chain(self, value: np.ndarray, first: np.ndarray, second: np.ndarray | None) -> "Jet":
        """f(self), given f, f' and f'' (None: 0) at its value."""
        hessian = self.hessian * _two(first)
        if second is not None:
            hessian = hessian + _outer(self.gradient, self.gradient) * _two(second)
        return Jet(value, self.gradient * _one(first), hessian)


Number = Jet | np.ndarray | float


def linear(values_BxQ: np.ndarray, slopes_QxP: np.ndarray) -> list[Jet]:
    """One jet per linear function of P parameters: (B, 1) values, the same (P,) gradient everywhere, no curvature.

    Values (1, N, Q) give jets of (1, N) values instead: parameters of their own for every point.
    """
    none = np.zeros((1, 1, slopes_QxP.shape[1], slopes_QxP.shape[1]))
    values = values_BxQ if values_BxQ.ndim == 3 else values_BxQ[:, None]
    return [Jet(values[..., k], slope[None, None], none) for k, slope in enumerate(slopes_QxP)]


def exp(x: Jet) -> Jet:
    """e^x."""
    value = np.exp(x.value)
    return x.chain(value, value, value)


def log(x: Jet) -> Jet:
    """ln x."""
    inverse = 1 / x.value
    return x.chain(np.log(x.value), inverse, -(inverse**2))


def reciprocal(x: Jet) -> Jet:
    """1 / x."""
    inverse = 1 / x.value
    return x.chain(inverse, -(inverse**2), 2 * inverse**3)


def softplus(x: Jet) -> Jet:
    """ln(1 + e^x)."""
    share = 0.5 * (1 + np.tanh(0.5 * x.value))
    return x.chain(np.logaddexp(0, x.value), share, share * (1 - share))


def log1mexp(x: Jet) -> Jet:
    """ln(1 - e^-x) for x > 0, without cancellation at either end."""
    value = np.log(-np.expm1(-x.value))
    first = 1 / np.expm1(x.value)
    return x.chain(value, first, -first * (1 + first))


def minimum(x: Jet, y: np.ndarray) -> Jet:
    """min(x, y) for an array y; at a tie the derivatives are those of x."""
    keep = (x.value <= y).astype(float)
    value = np.minimum(x.value, y)
    return Jet(value, x.gradient * _one(keep), x.hessian * _two(keep))


def compose(u: Jet, v: Jet, value: np.ndarray, first: tuple, second: tuple) -> Jet:
    """f(u, v), given f, (f_u, f_v) and (f_uu, f_uv, f_vv) at their values."""
    cross = _outer(u.gradient, v.gradient)
    hessian = u.hessian * _two(first[0]) + v.hessian * _two(first[1]) + _outer(u.gradient, u.gradient) * _two(second[0])
    hessian = hessian + (cross + cross.swapaxes(-1, -2)) * _two(second[1])
    hessian = hessian + _outer(v.gradient, v.gradient) * _two(second[2])
    return Jet(value, u.gradient * _one(first[0]) + v.gradient * _one(first[1]), hessian)


def _outer(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., :, None] * b[..., None, :]


def _one(x: np.ndarray) -> np.ndarray:
    return np.asarray(x)[..., None]


def _two(x: np.ndarray) -> np.ndarray:
    return np.asarray(x)[..., None, None]
