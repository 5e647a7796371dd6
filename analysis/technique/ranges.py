"""What the baseline measured: sizes at a length of training, lengths at a size, and compute."""

import dataclasses
import math

import numpy as np

TOUCHES = 1e-6  # ln: a place so near the rim is on it


@dataclasses.dataclass(frozen=True)
class Reach:
    """From where to where (in ln) the baseline was measured in `name`; `nowhere`: why not at all, or nothing."""

    name: str
    ends: tuple[float, float]
    where: str
    nowhere: str = ""

    def reason(self, interval: tuple[float, float], point: float) -> str:
        """Why an amount that the baseline would need (ln) is refused: all of its interval lies outside. Or nothing."""
        if self.nowhere:
            return self.nowhere
        low, high = self.ends
        least, most = (point, point) if math.isnan(interval[0]) else interval
        if point == math.inf:
            return f"the loss is below what any {self.name} reaches {self.where}"
        if least > high + TOUCHES:
            return f"the loss is below what {self.name} up to {math.exp(high):.4g} reaches {self.where}"
        if most < low - TOUCHES:
            return f"the loss is above what {self.name} from {math.exp(low):.4g} on reaches {self.where}"
        return ""

    def holds(self, point: float) -> bool:
        """Whether an amount (ln) lies inside."""
        return self.ends[0] - TOUCHES <= point <= self.ends[1] + TOUCHES


def reach_along(name: str, along_K: np.ndarray, other: str, across_K: np.ndarray, at: float) -> Reach:
    """The reach in `name` of K runs where `other` has the value `at`; all in ln."""
    ends = chord(along_K, across_K, at)
    low, high = np.exp(across_K.min()), np.exp(across_K.max())
    nowhere = "" if math.isfinite(ends[0]) else f"{other} is outside the baseline's, {low:.4g} to {high:.4g}"
    return Reach(name, ends, f"at {other} {math.exp(at):.4g}", nowhere)


def chord(along_K: np.ndarray, across_K: np.ndarray, at: float) -> tuple[float, float]:
    """The ends, along one axis, of the convex hull of K points where the other axis has the value `at`; NaN outside.

    On a grid these are the smallest and the largest measured there; between the budgets of an IsoFLOP design they lie
    on the lines from one run to another.
    """
    low, high = across_K <= at + TOUCHES, across_K >= at - TOUCHES
    if not low.any() or not high.any():
        return math.nan, math.nan
    rise_LxH = across_K[high][None, :] - across_K[low][:, None]
    first_Lx1, last_1xH = along_K[low][:, None], along_K[high][None, :]
    share_LxH = np.clip((at - across_K[low])[:, None] / np.where(rise_LxH > TOUCHES, rise_LxH, np.inf), 0, 1)
    ends = [first_Lx1 + share_LxH * (last_1xH - first_Lx1)]
    ends += [along_K[low & high]] * bool((low & high).any())
    return float(min(part.min() for part in ends)), float(max(part.max() for part in ends))
