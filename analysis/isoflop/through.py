"""The straight line of ln N* (or ln D*, ln loss*) over ln C through the budgets that were kept, and its resamples.

Dimension letters: B resamples, K budgets that carry the line, N runs.
"""

import dataclasses

import numpy as np

from analysis import uncertainty
from analysis.isoflop.cells import Cell, Minimum
from analysis.lines import lines

LEAST_SD = 1 / 3  # of the mean distance of neighbouring sizes in ln N: no minimum is surer (Porian et al. 2024)


@dataclasses.dataclass(frozen=True)
class Sampling:
    """What the resamples are made of."""

    weights_BxN: np.ndarray
    noise: float | None
    seed: int
    level: float

    @property
    def count(self) -> int:
        """How many resamples there are."""
        return len(self.weights_BxN)

    def kind(self, method: str) -> str:
        """What was resampled, in words."""
        if not self.count:
            return ""
        if method == "akima" and self.noise:
            return f"every size, with seed noise of {self.noise:.3g} in ln loss"
        return "runs of the whole table, the law refitted" if method == "surface" else "runs within each budget"


@dataclasses.dataclass(frozen=True)
class Line:
    """Lines over ln C through the budgets that were kept."""

    cells: list[Cell]
    minima: list[Minimum]
    weighing: str
    sampling: Sampling

    @property
    def log_c(self) -> np.ndarray:
        """(K,) ln C."""
        return np.log([cell.budget for cell in self.cells])

    @property
    def precision(self) -> np.ndarray | None:
        """(1, K) weights; None: equal. A budget without two finite resamples tells nothing of its own precision."""
        if self.weighing == "equal" or not self.minima:
            return None
        least = [LEAST_SD * np.ptp(cell.sizes) / (len(cell.sizes) - 1) for cell in self.cells]
        return np.nan_to_num(np.maximum([spread(found.drawn) for found in self.minima], least) ** -2.0)[None]

    def through(self, name: str) -> tuple[float, float]:
        """Intercept and slope of the minima's `name`, as "log_n"; NaN with fewer than two budgets."""
        found = lines(self.log_c, np.array([[getattr(part, name) for part in self.minima]]), self.precision)[0]
        return float(found[0]), float(found[1])

    def slope_of(self, values_K: np.ndarray) -> float:
        """Slope of the line through other values at the same budgets, with the same weights."""
        return float(lines(self.log_c, values_K[None], self.precision)[0, 1])

    def samples(self, name: str) -> np.ndarray:
        """(B, 2) lines through the resamples in `name`, as "drawn"."""
        if not self.minima or not self.sampling.count:
            return np.zeros((0, 2))
        return lines(self.log_c, np.stack([getattr(part, name) for part in self.minima], axis=1), self.precision)

    def interval(self, name: str) -> tuple[float, float] | None:
        """Central interval of the resampled slopes; None without resamples."""
        if not self.sampling.count:
            return None
        return uncertainty.percentile(self.samples(name)[:, 1], self.sampling.level)


def spread(drawn: np.ndarray) -> float:
    """Standard deviation of ln N* over the resamples with an interior minimum, larger where some have none."""
    finite = drawn[np.isfinite(drawn)]
    return float(finite.std() * len(drawn) / len(finite)) if len(finite) > 1 else float("nan")
