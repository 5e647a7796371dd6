"""What a measurement of the noise scale draws. No JAX: the command line makes one."""

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Drawing:
    """What a measurement draws: `batches` of `windows`, gradients of `group` at a time, at `points` of a run."""

    windows: int = 64
    batches: int = 16
    group: int = 1
    points: int = 8

    @property
    def name(self) -> str:
        """What tells measurements of one point apart."""
        return f"{self.batches} x {self.windows} by {self.group}"

    def steps(self, spaced: Sequence[int]) -> set[int]:
        """The steps of a curve to measure at: `points` in all, from its last backwards over its later half."""
        stride = max(1, len(spaced) // (2 * self.points)) if self.points else 1
        return set(spaced[::-1][::stride][: self.points])
