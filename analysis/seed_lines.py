"""A power law over sizes through the values of each seed by itself: how fast something grows, as sure as seeds agree.

Dimension letters: K sizes, S seeds, G places.
"""

import dataclasses

import numpy as np

from analysis.lines import lines
from analysis.uncertainty import student


@dataclasses.dataclass(frozen=True)
class SeedLines:
    """(S, 2) intercepts and slopes of ln value over ln size, a line a seed; intervals are Student's at `level`."""

    lines_Sx2: np.ndarray
    level: float

    @property
    def slope(self) -> float:
        """The mean of the seeds' exponents."""
        return float(self.lines_Sx2[:, 1].mean())

    @property
    def interval(self) -> tuple[float, float]:
        """Of the slope; nan for one seed."""
        half = student.half_width(self.lines_Sx2[:, 1], self.level)
        return self.slope - half, self.slope + half

    def at(self, size_G: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(G,) the geometric mean of the seeds' lines, and both ends of its interval."""
        log_SxG = self.lines_Sx2[:, :1] + self.lines_Sx2[:, 1:] * np.log(size_G)
        middle, half = log_SxG.mean(axis=0), np.array([student.half_width(log_S, self.level) for log_S in log_SxG.T])
        return np.exp(middle), np.exp(middle - half), np.exp(middle + half)


def seed_lines(size_K: np.ndarray, value_KxS: np.ndarray, level: float = 0.9) -> SeedLines:
    """Least squares in logarithms of positive values over positive sizes; nan for a seed that lacks a value."""
    found = lines(np.log(size_K), np.log(value_KxS).T)
    whole_S = np.asarray(np.isfinite(value_KxS).all(axis=0))
    return SeedLines(np.where(whole_S[:, None], found, np.nan), level)
