"""What a fit minimises."""

import dataclasses

import numpy as np

from analysis.choices import OBJECTIVES
from scaling_laws.config import ConfigError, nearest


@dataclasses.dataclass(frozen=True)
class Objective:
    """The weighted SUM over points of rho(ln prediction, ln observed)."""

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
        """Value, first and second derivative in f = ln prediction, at y = ln observed.

        `majorised`: beyond a corner, where the curvature is 0, that of the parabola which touches from above.
        """
        if self.name == "mse":
            prediction = np.exp(f)
            residual = prediction - np.exp(y)
            return residual**2, 2 * residual * prediction, 2 * prediction * (prediction + residual)
        if self.name == "log1p_mse":  # Caballero et al. 2023, appendix A.6: squared error of ln(1 + y)
            share = 0.5 * (1 + np.tanh(0.5 * f))
            residual = np.logaddexp(0, f) - np.logaddexp(0, y)
            return residual**2, 2 * residual * share, 2 * share * (share + residual * (1 - share))
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
