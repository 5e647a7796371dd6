"""How the ln losses of runs scatter about the law, and what one more run says that those before it did not.

The error of a run is the sum of a misfit of the law, shared by all seeds of a candidate (sd `misfit`), and of seed
noise (sd `noise`, by N), of which runs of one shape and seed share the part `trunk` where they are branches of a trunk.
Dimension letters: J candidates, T of one shape, m runs of a shape that are there.
"""

import dataclasses
import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from analysis.design.candidates import Candidates

if TYPE_CHECKING:
    from analysis.fitting import Fit
    from analysis.load import Runs


@dataclasses.dataclass(frozen=True)
class Errors:
    """`noise_J` and `misfit` are standard deviations of ln loss, `trunk` a correlation from 0 to below 1."""

    noise_J: np.ndarray
    misfit: float = 0.0
    trunk: float = 0.0

    def news(self, candidates: Candidates, h: int, counts_J: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What a further run of each of the T candidates of shape h would add to the runs of `counts_J`.

        (T, T) weights and (T,) variances: the run's slope less weights times the slopes of the candidates, over its
        variance given the runs that are there. Information grows by g g' / variance, whatever the order of the runs.
        """
        rows = candidates.of_shape(h)
        counts, size = counts_J[rows], len(rows)
        noise, shared = float(self.noise_J[rows[0]]) ** 2, self.misfit**2
        weights_TxT, variance_T = np.zeros((size, size)), np.full(size, noise + shared)
        cell_m = np.repeat(np.arange(size), counts)
        if not len(cell_m) or (not shared and not self.trunk):
            return weights_TxT, variance_T
        seed_m = np.concatenate([np.arange(count) for count in counts])
        same_cell = cell_m[:, None] == cell_m[None, :]
        same_seed = seed_m[:, None] == seed_m[None, :]
        among_mxm = shared * same_cell + noise * np.where(same_cell, same_seed, self.trunk * same_seed)
        there_Txm = shared * (np.arange(size)[:, None] == cell_m) + self.trunk * noise * (counts[:, None] == seed_m)
        weights_Txm = np.linalg.solve(among_mxm, there_Txm.T).T
        np.add.at(weights_TxT.T, cell_m, weights_Txm.T)
        return weights_TxT, variance_T - np.einsum("tm,tm->t", weights_Txm, there_Txm)


def noise_at(runs: "Runs", found: "Fit", n_params: np.ndarray) -> np.ndarray:
    """(n,) standard deviation of ln loss between seeds at each N: a power of N through the shapes that were repeated.

    Held where the smallest and the largest of them lie; without a repeat the residuals of the fit, everywhere.
    """
    from analysis import uncertainty
    from analysis.weighting import noise_over

    sizes, dof, variance = uncertainty.repeated_shapes(runs)
    if not len(sizes) or not (variance * dof).sum():
        return np.full(len(n_params), math.sqrt(_residual_variance(found)))
    return noise_over(np.clip(n_params, sizes.min(), sizes.max()), sizes, dof, variance)


def misfit_of(runs: "Runs", found: "Fit") -> float:
    """Standard deviation of ln loss by which the fit misses more than seeds vary; 0 where no shape was repeated."""
    if found.seed_noise is None:
        return 0.0
    noise = noise_at(runs, found, runs["n_params"])
    return math.sqrt(max(_residual_variance(found) - float((noise**2).mean()), 0.0))


def _residual_variance(found: "Fit") -> float:
    free = len(found.coefficients) - len(found.fixed)
    return found.residual_sd**2 * found.n_points / max(found.n_points - free, 1)


def efficiency(objective: str, delta: float, noise: float) -> float:
    """Variance of least squares over that of the objective, for normal errors of standard deviation `noise`.

    (E psi')^2 / E psi^2 of Huber's psi with its corner at `delta` (Huber 1964, section 6); 2 / pi of absolute
    deviations, 1 of squares.
    """
    if objective not in ("huber", "lad"):
        return 1.0
    k = delta / noise if objective == "huber" else 0.0
    if k < 1e-6:
        return 2 / math.pi
    normal = NormalDist()
    inside = 2 * normal.cdf(k) - 1
    squares = inside - 2 * k * normal.pdf(k) + 2 * k**2 * (1 - normal.cdf(k))
    return inside**2 / squares
