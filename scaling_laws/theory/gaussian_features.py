"""Linear regression on random features of a Gaussian input, as training sees it.

x_j = sqrt(variance_j) z_j with z standard normal, target y = sum_j c_j x_j, features W^T x with W (v, d) fixed. As x is
Gaussian, so are the features and the target, and in the eigenbasis of the features' covariance W^T diag(variance) W

    phi_i = sqrt(lam_i) z_i, i = 1 .. d, independent;    y = <theta*, phi> + e,    e from N(0, s^2), independent of phi.

So examples are drawn in d numbers instead of v. Letters in names: v coordinates, d features, n examples.
"""

import dataclasses

import numpy as np

from scaling_laws.config import ConfigError

COORDINATES = 4096  # of x that are drawn one by one; far more than a width has features


@dataclasses.dataclass(frozen=True, eq=False)
class Spectrum:
    """What training sees of one W: variances of the features, the best parameters, and what no parameters explain.

    `eigenvalues` (d,), descending, and `teacher` (d,), in the eigenbasis of the features; `residual`: the variance of
    the target given the features, which is the least loss of this W.
    """

    eigenvalues: np.ndarray
    teacher: np.ndarray
    residual: float

    @property
    def width(self) -> int:
        """Features, which are the parameters too."""
        return len(self.eigenvalues)

    def risk(self, parameters: np.ndarray) -> np.ndarray:
        """Expected squared error over fresh examples, (...), of parameters (..., d) in the eigenbasis."""
        return (np.square(parameters - self.teacher) * self.eigenvalues).sum(axis=-1) + self.residual

    def sample(self, rng: np.random.Generator, n_examples: int) -> tuple[np.ndarray, np.ndarray]:
        """Features (n, d) in the eigenbasis and targets (n,)."""
        features_nxd = rng.standard_normal((n_examples, self.width)) * np.sqrt(self.eigenvalues)
        noise_n = rng.standard_normal(n_examples) * np.sqrt(self.residual)
        return features_nxd, features_nxd @ self.teacher + noise_n


def projection(width: int, seed: int, coordinates: int = COORDINATES) -> np.ndarray:
    """W (v, d), entries from N(0, 1/d); those of two widths or two seeds are independent, so that what is fitted over
    widths averages over them. Raises ConfigError for fewer than two coordinates a feature.
    """
    if not 0 < 2 * width <= coordinates:
        raise ConfigError(f"model.width: {width}; allowed: 1 to {coordinates // 2}, half of the coordinates")
    return np.random.default_rng((seed, width)).standard_normal((coordinates, width)) / np.sqrt(width)


def spectrum(
    W_vxd: np.ndarray, variance_v: np.ndarray, target_v: np.ndarray, tail_variance: float = 0, tail_target: float = 0
) -> Spectrum:
    """The spectrum of W with rows for the coordinates of `variance_v` (v,) and coefficients `target_v` (v,).

    Coordinates behind those count by their mean: `tail_variance`, the sum of their variances, over d is added to the
    variance of every feature, as independent noise, and `tail_target`, their part of the target's variance, to the
    residual. Left out is the spread around that mean, in any direction about 2 sqrt(d/v) of it.
    """
    width = W_vxd.shape[1]
    covariance_dxd = (W_vxd * variance_v[:, None]).T @ W_vxd
    covariance_dxd[np.diag_indices(width)] += tail_variance / width
    ascending_d, basis_dxd = np.linalg.eigh(covariance_dxd)
    eigenvalues_d = ascending_d[::-1].copy()
    with_target_d = (variance_v * target_v) @ W_vxd @ basis_dxd[:, ::-1]
    total = float(variance_v @ np.square(target_v)) + tail_target
    explained = float(np.sum(np.square(with_target_d) / eigenvalues_d))
    return Spectrum(eigenvalues_d, with_target_d / eigenvalues_d, total - explained)


def power_tail(exponent: float, beyond: int) -> float:
    """Sum of j^-exponent over all j > `beyond`: Hurwitz' zeta function at beyond + 1."""
    from scipy.special import zeta

    return float(zeta(exponent, beyond + 1))
