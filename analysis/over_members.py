"""Loss over the number of members of ensembles: c + b / K, as logits of independent members average out (Lobacheva et
al. 2020, section 3, with exponent 1), fitted to every seed by least squares.

Dimension letters: S seeds, K sizes.
"""

import dataclasses

import numpy as np

from analysis.lines import lines
from analysis.load import DataError
from analysis.uncertainty.student import mean

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
    (c, b), (c_reach, b_reach) = mean(found_Sx2, LEVEL)
    residuals, reaches = mean(losses - fitted_SxK, LEVEL)
    ends = ((float(c - c_reach), float(c + c_reach)), (float(b - b_reach), float(b + b_reach)))
    return OverMembers(float(c), float(b), *ends, residuals, reaches)
