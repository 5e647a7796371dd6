"""Exact expected risk of one-pass SGD from 0 on Gaussian features, whatever their spectrum.

With e_i = theta_i - theta*_i, m_i = E e_i^2, g = 2 x learning rate (the loss has no factor 1/2), batches of B, and
the risk R = sum_i lam_i m_i + s^2, one step gives, by the fourth moments of a Gaussian,

    m_i <- m_i ((1 - g lam_i)^2 + g^2 lam_i^2 / B) + (g^2 / B) lam_i R.

That is a linear map of m with a symmetric matrix, 1 - S with S = diag(g lam (2 - g lam (1 + 1/B))) - (g^2 / B) lam
lam^T: its eigenvectors give all steps at once, in O(d^3) for the first and O(d) for each.
"""

from collections.abc import Sequence

import numpy as np

from scaling_laws.config import ConfigError
from scaling_laws.theory.gaussian_features import Spectrum


def expected_risk(
    spectrum: Spectrum, learning_rate: float, batch_size: int, steps: Sequence[int] | np.ndarray
) -> np.ndarray:
    """Population risk after each of `steps` (k,), expected over the examples drawn, W given.

    Raises ConfigError for a rate at or above `largest_rate`, where it grows without bound.
    """
    limit = largest_rate(spectrum, batch_size)
    if not 0 < learning_rate < limit:
        raise ConfigError(
            f"optimizer.learning_rate: {learning_rate:g}; allowed: above 0, below {limit:g} at this width"
        )
    lam_d, rate = spectrum.eigenvalues, 2 * learning_rate
    S_dxd = np.diag(rate * lam_d * (2 - rate * lam_d * (1 + 1 / batch_size)))
    S_dxd -= rate**2 / batch_size * np.outer(lam_d, lam_d)
    shrink_d, basis_dxd = np.linalg.eigh(S_dxd)
    final_d = np.linalg.solve(S_dxd, rate**2 / batch_size * spectrum.residual * lam_d)
    weight_d = (lam_d @ basis_dxd) * (basis_dxd.T @ (np.square(spectrum.teacher) - final_d))
    decay_kxd = (1 - shrink_d) ** np.asarray(steps)[:, None]
    return decay_kxd @ weight_d + lam_d @ final_d + spectrum.residual


def largest_rate(spectrum: Spectrum, batch_size: int) -> float:
    """The learning rate from which on the expected risk diverges.

    Where S stops being positive definite: (g / B) sum_i lam_i / (2 - g lam_i (1 + 1/B)) = 1.
    """
    from scipy.optimize import brentq

    lam_d, most = spectrum.eigenvalues, 2 / (spectrum.eigenvalues[0] * (1 + 1 / batch_size))

    def excess(share: float) -> float:
        """Grows from -1 to infinity over the shares from 0 to 1 of `most`."""
        rate = share * most
        return rate / batch_size * float(np.sum(lam_d / (2 - rate * lam_d * (1 + 1 / batch_size)))) - 1

    return brentq(excess, 0, 1 - 1e-12) * most / 2  # pyright: ignore[reportOperatorIssue]


def deviation(losses: np.ndarray, expected: np.ndarray | float, heldout: int = 0) -> float:
    """How many standard errors the mean of `losses` (n,) lies above that of `expected`, one number or one a run.

    `heldout`: examples that all runs are measured on together, 0 where each has its own or where the risk is exact; a
    shared set adds sqrt(2 / heldout) of the loss to the standard error, for the errors are Gaussian.
    """
    above = np.asarray(losses) - expected
    variance = float(above.var(ddof=1)) / len(above)
    if heldout:
        variance += 2 * float(np.mean(expected)) ** 2 / heldout
    return float(above.mean()) / variance**0.5
