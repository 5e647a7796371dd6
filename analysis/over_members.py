"""Loss over the number of members of ensembles: c + b / K, as logits of independent members average out (Lobacheva et
al. 2020, section 3, with exponent 1), fitted to every seed by least squares.

Dimension letters: S seeds, K sizes.
"""

import dataclasses
import math

import numpy as np

from analysis.lines import lines
from analysis.load import DataError
from analysis.uncertainty.student import quantile

LEVEL = 0.95
ROW = ("arm", "members", "n_params", "flops", "seeds", "loss", "loss_se", "accuracy", "fitted", "residual", "reach")


@dataclasses.dataclass(frozen=True)
class OverMembers:
    """c and b, means over seeds, each with its interval by Student's t (nan for one seed); `residuals` (K,) of the mean
    losses from the law, and their `reaches` (K,), half an interval's width."""

    c: float
    b: float
    c_interval: tuple[float, float]
    b_interval: tuple[float, float]
    residuals: np.ndarray
    reaches: np.ndarray

    @property
    def follows(self) -> bool:
        """Whether every residual's interval has 0 in it."""
        return bool((np.abs(self.residuals) <= self.reaches).all())


def over_members(members_K: np.ndarray, losses_SxK: np.ndarray) -> OverMembers:
    """The law through each seed's losses. Raises DataError for fewer than two sizes."""
    members, losses = np.asarray(members_K, float), np.asarray(losses_SxK, float)
    if len(set(members.tolist())) < 2:
        raise DataError(f"members: {len(members)} sizes; allowed: two or more")
    found_Sx2 = lines(1 / members, losses)
    fitted_SxK = found_Sx2[:, :1] + found_Sx2[:, 1:] / members
    (c, b), (c_reach, b_reach) = _mean(found_Sx2)
    residuals, reaches = _mean(losses - fitted_SxK)
    ends = ((float(c - c_reach), float(c + c_reach)), (float(b - b_reach), float(b + b_reach)))
    return OverMembers(float(c), float(b), *ends, residuals, reaches)


def _mean(values_SxN: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means over seeds, and by how far their intervals reach to either side."""
    n_seeds = len(values_SxN)
    means = values_SxN.mean(axis=0)
    if n_seeds < 2:
        return means, np.full(means.shape, math.nan)
    errors = values_SxN.std(axis=0, ddof=1) / math.sqrt(n_seeds)
    return means, quantile(LEVEL, n_seeds - 1) * errors
