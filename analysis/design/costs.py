"""What a set of runs costs in training FLOPs: each by itself, or as branches of trunks that runs of a shape share.

A design is counts n_J: how many seeds, from the first on, each candidate is trained with. With trunks the runs of one
shape and seed are branches of their longest: D_1 < .. < D_n cost (1 - cooldown) max(D) + cooldown sum(D) tokens
(Haegele et al. 2024, section 4; scaling_laws/sweep/trunks.py does so).
"""

import dataclasses
import functools

import numpy as np

from analysis.design.candidates import Candidates


@dataclasses.dataclass(frozen=True)
class Costs:
    """`cooldown` None: every run is trained from its beginning; else the share of a run that is its own."""

    candidates: Candidates
    cooldown: float | None = None

    def total(self, counts_J: np.ndarray) -> float:
        """FLOPs of a design."""
        return float(sum(self.shape_total(h, counts_J) for h in range(len(self.candidates.shapes))))

    def shape_total(self, h: int, counts_J: np.ndarray) -> float:
        """FLOPs of the runs of one shape."""
        rows = self.candidates.of_shape(h)
        flops, counts = self.candidates.flops_J[rows], counts_J[rows]
        if self.cooldown is None:
            return float(flops @ counts)
        longest = sum(flops[counts > seed].max() for seed in range(counts.max(initial=0)))
        return float((1 - self.cooldown) * longest + self.cooldown * (flops @ counts))

    def of_next(self, counts_J: np.ndarray) -> np.ndarray:
        """(J,) FLOPs that one more run of each candidate would add."""
        flops = self._flops
        if self.cooldown is None:
            return flops
        on_trunk_JxJ = self._same_shape & (counts_J[None, :] > counts_J[:, None])  # runs with the seed of the new one
        longest_J = np.where(on_trunk_JxJ, flops[None, :], 0.0).max(axis=1)
        return self.cooldown * flops + (1 - self.cooldown) * np.maximum(flops - longest_J, 0.0)

    @functools.cached_property
    def _flops(self) -> np.ndarray:
        return self.candidates.flops_J

    @functools.cached_property
    def _same_shape(self) -> np.ndarray:
        return self.candidates.shape_J[:, None] == self.candidates.shape_J[None, :]
