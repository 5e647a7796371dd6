"""A Gaussian process over points of the unit cube, and the improvement that it expects of a further point.

Rasmussen and Williams 2006: posterior, equations 2.23 to 2.24; marginal likelihood, 2.30 and 5.9; Matern kernel, 4.17.
Expected improvement: Jones, Schonlau and Welch 1998, equation 15. NumPy and SciPy alone.

Dimension letters: N observed points, M further points, P coordinates.
"""

import dataclasses
import math

import numpy as np
from scipy import linalg, optimize, special

SCALES = (0.05, 10.0)  # length scales, in widths of the cube
SIGNALS = (0.05, 20.0)  # variance of the function, where the observed values have variance 1
NOISES = (1e-6, 1.0)  # variance of an observation beside it
TYPICAL = np.log([0.5, 1.0, 0.01])  # centre of the prior: length scale, signal, noise
SPREAD = np.array([1.0, 1.0, 2.0])  # its standard deviations, of the logarithms
STARTS = 3


@dataclasses.dataclass(frozen=True)
class GaussianProcess:
    """Values y_N seen at x_NxP, a constant mean, a Matern 5/2 kernel with a length scale a coordinate, and noise."""

    x_NxP: np.ndarray
    y_N: np.ndarray
    scales_P: np.ndarray
    signal: float
    noise: float
    mean: float

    def with_values(self, x_MxP: np.ndarray, y_M: np.ndarray) -> "GaussianProcess":
        """The same process after further values."""
        x, y = np.concatenate([self.x_NxP, x_MxP]), np.concatenate([self.y_N, y_M])
        return dataclasses.replace(self, x_NxP=x, y_N=y)

    def predict(self, x_MxP: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean (M,) and standard deviation (M,) of the function itself, the noise left out."""
        factor = _factor(kernel(self.x_NxP, self.x_NxP, self.scales_P, self.signal), self.noise)
        across_NxM = kernel(self.x_NxP, x_MxP, self.scales_P, self.signal)
        mean_M = self.mean + across_NxM.T @ linalg.cho_solve(factor, self.y_N - self.mean)
        solved_NxM = linalg.solve_triangular(factor[0], across_NxM, lower=True)
        return mean_M, np.sqrt(np.maximum(self.signal - (solved_NxM**2).sum(axis=0), 1e-12))


def fit(x_NxP: np.ndarray, y_N: np.ndarray, seed: int = 0) -> GaussianProcess:
    """The process whose scales, signal and noise are most probable after the values, under log-normal priors.

    Values are standardised first, so that the priors suit any unit; a few starts, the best one taken.
    """
    centre, width = float(y_N.mean()), float(y_N.std()) or 1.0
    z_N, n_coordinates = (y_N - centre) / width, x_NxP.shape[1]
    typical = np.concatenate([np.full(n_coordinates, TYPICAL[0]), TYPICAL[1:]])
    spread = np.concatenate([np.full(n_coordinates, SPREAD[0]), SPREAD[1:]])
    bounds = np.log([SCALES] * n_coordinates + [SIGNALS, NOISES])

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        evidence, slopes = log_evidence(x_NxP, z_N, *_apart(theta))
        off = (theta - typical) / spread
        return float((off**2).sum() / 2 - evidence), off / spread - slopes

    draws = np.random.default_rng(seed).normal(typical, spread, (STARTS - 1, len(typical)))
    starts = np.clip([typical, *draws], *bounds.T)
    ends = [optimize.minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds) for start in starts]
    scales, signal, noise = _apart(min(ends, key=lambda end: end.fun).x)
    return GaussianProcess(x_NxP, y_N, scales, signal * width**2, noise * width**2, centre)


def _apart(theta: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Length scales, signal and noise of their logarithms."""
    return np.exp(theta[:-2]), math.exp(theta[-2]), math.exp(theta[-1])


def kernel(x_NxP: np.ndarray, x_MxP: np.ndarray, scales_P: np.ndarray, signal: float) -> np.ndarray:
    """Matern 5/2 covariances (N, M)."""
    apart_NxM = np.sqrt((((x_NxP[:, None] - x_MxP[None]) / scales_P) ** 2).sum(axis=-1) * 5)
    return signal * (1 + apart_NxM + apart_NxM**2 / 3) * np.exp(-apart_NxM)


def log_evidence(
    x_NxP: np.ndarray, y_N: np.ndarray, scales_P: np.ndarray, signal: float, noise: float
) -> tuple[float, np.ndarray]:
    """Log density of values of mean 0 and its slopes (P + 2,) in the logarithms of scales, signal and noise (5.9)."""
    kernel_NxN = kernel(x_NxP, x_NxP, scales_P, signal)
    factor = _factor(kernel_NxN, noise)
    weights_N, inverse_NxN = linalg.cho_solve(factor, y_N), linalg.cho_solve(factor, np.eye(len(y_N)))
    density = -y_N @ weights_N / 2 - np.log(np.diag(factor[0])).sum() - len(y_N) / 2 * math.log(2 * math.pi)
    inner_NxN = (np.outer(weights_N, weights_N) - inverse_NxN) / 2
    apart_NxNxP = ((x_NxP[:, None] - x_NxP[None]) / scales_P) ** 2
    far_NxN = np.sqrt(5 * apart_NxNxP.sum(axis=-1))
    steep_NxN = inner_NxN * signal * 5 / 3 * (1 + far_NxN) * np.exp(-far_NxN)
    of_scales = (steep_NxN[..., None] * apart_NxNxP).sum(axis=(0, 1))
    return float(density), np.array([*of_scales, (inner_NxN * kernel_NxN).sum(), noise * np.trace(inner_NxN)])


def expected_improvement(mean_M: np.ndarray, deviation_M: np.ndarray, best: float) -> np.ndarray:
    """E[max(best - f, 0)] (M,) for a function to be made small."""
    z_M = (best - mean_M) / deviation_M
    return deviation_M * (z_M * special.ndtr(z_M) + np.exp(-(z_M**2) / 2) / math.sqrt(2 * math.pi))


def _factor(kernel_NxN: np.ndarray, noise: float) -> tuple[np.ndarray, bool]:
    jitter = 1e-10 * float(np.mean(np.diag(kernel_NxN)))
    return linalg.cholesky(kernel_NxN + (noise + jitter) * np.eye(len(kernel_NxN)), lower=True), True
