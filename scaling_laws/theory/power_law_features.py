"""Power-law random features (PLRF): Paquette et al. 2024, "4+3 Phases of Compute-Optimal Neural Scaling Laws".

x_j = j^-a z_j, target y = sum_j j^-b x_j, features W^T x with entries of W from N(0, 1/d); theta in <W^T x, theta> is
trained by one-pass SGD from 0 (`one_pass`); the compute-optimal exponents follow from a and b (table 2), in the three
phases with a > 1/2, where the rate need not shrink with the width.

With f = r d FLOPs for r examples through d parameters, the loss at the best d falls as f^-loss, and that d grows as
f^size. An example of a linear layer costs 4 d in this project's count, which changes neither exponent.
"""

import dataclasses

import numpy as np

from scaling_laws.config import ConfigError
from scaling_laws.theory import gaussian_features
from scaling_laws.theory.gaussian_features import COORDINATES, Spectrum, power_tail


@dataclasses.dataclass(frozen=True)
class ComputeOptimal:
    """The phase and, of the compute-optimal frontier, the exponents: loss ~ f^-loss, d* ~ f^size."""

    phase: str
    loss: float
    size: float


def compute_optimal(alpha: float, beta: float) -> ComputeOptimal:
    """The exponents at `alpha` (inputs' standard deviations j^-alpha) and `beta` (target j^-beta).

    They are continuous across the phases' borders, beta = 1/2 and beta = alpha. Raises ConfigError below alpha = 1/2.
    """
    if not alpha > 0.5:
        raise ConfigError(f"task.alpha: {alpha:g}; allowed: more than 0.5, else the inputs' variances have no sum")
    if not beta > 0:
        raise ConfigError(f"task.beta: {beta:g}; allowed: more than 0")
    total = 2 * alpha + 2 * beta - 1
    if beta <= 0.5:
        return ComputeOptimal("Ia", total / (2 * alpha + 1), 1 / (2 * alpha + 1))
    if beta <= alpha:
        return ComputeOptimal("II", total / (2 * (alpha + beta)), beta / (alpha + beta))
    return ComputeOptimal("III", (4 * alpha - 1) / (4 * alpha), 0.5)


def spectrum(alpha: float, beta: float, width: int, seed: int, coordinates: int = COORDINATES) -> Spectrum:
    """The spectrum of the W of `seed` over infinitely many coordinates, those behind `coordinates` by their mean.

    Some .05 s at width 400. Raises ConfigError for exponents without a theory, and for a width of more than half of
    the coordinates.
    """
    compute_optimal(alpha, beta)
    W_vxd = gaussian_features.projection(width, seed, coordinates)
    index_v = np.arange(1, coordinates + 1, dtype=np.float64)
    tails = power_tail(2 * alpha, coordinates), power_tail(2 * (alpha + beta), coordinates)
    return gaussian_features.spectrum(W_vxd, index_v ** (-2 * alpha), index_v**-beta, *tails)
