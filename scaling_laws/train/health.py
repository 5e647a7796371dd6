"""What goes wrong with a run's numbers while it trains: spikes, and losses that never fall.

A spike is a step whose loss or gradient norm stands seven standard deviations or more above the mean of the steps
before it, as the spike score of OLMo 2 (2025) counts them over 1000 steps; here over the last 200. A deviation below a
hundredth of the mean counts as that.
"""

import dataclasses
import math
from typing import Any

import numpy as np

from scaling_laws.units import loss_text

WINDOW, FEWEST = 200, 50  # steps before a step that it is compared with
DEVIATIONS, FLOOR = 7.0, 0.01
MEAN_OVER, FEWEST_MEANT = 50, 10  # steps at the beginning, before a spike and at the end
ERRORS = 3.0  # standard errors between two means that are different


@dataclasses.dataclass
class Health:
    """A run's numbers so far; kept in its checkpoints. Steps count from 1."""

    first: list[float] = dataclasses.field(default_factory=list)  # losses at the beginning
    losses: list[float] = dataclasses.field(default_factory=list)  # the last ones
    norms: list[float] = dataclasses.field(default_factory=list)
    stale: int = 0  # how many of these are from before the model was changed from outside
    spikes: int = 0
    spiked_at: int = 0  # where the last train of spikes began; 0: none
    before: list[float] = dataclasses.field(default_factory=list)  # losses before it

    def take(self, read: int, losses: np.ndarray, norms: np.ndarray) -> None:
        """Hear the finite losses and gradient norms of the steps after `read`."""
        self.first += losses[: max(0, MEAN_OVER - len(self.first))].tolist()
        seen = np.array(self.losses + losses.tolist()), np.array(self.norms + norms.tolist())
        history = len(self.losses)
        high = np.flatnonzero(_spikes(seen[0], history, self.stale) | _spikes(seen[1], history, self.stale))
        for index in high.tolist():
            step = read + index + 1
            if not self.spiked_at or step - self.spiked_at > WINDOW:
                self.spiked_at = step
                self.before = seen[0][: history + index][-MEAN_OVER:].tolist()
        self.spikes += len(high)
        self.losses, self.norms = (values[-WINDOW:].tolist() for values in seen)
        self.stale = max(0, self.stale - max(0, len(seen[0]) - WINDOW))

    def anew(self) -> None:
        """The model has been changed from outside: no step to come is compared with one before."""
        self.stale, self.before = len(self.losses), []

    def columns(self) -> dict[str, Any]:
        """Columns of the runs table of a run that has reached its horizon."""
        spike: dict[str, Any] = {"bad_step": None, "good_loss": None}
        if self.spiked_at:
            spike = {"bad_step": self.spiked_at, "good_loss": _mean(self.before)}
        return {"spikes": self.spikes, **spike}

    def diverged(self, read: int) -> dict[str, Any]:
        """The same of a run whose first bad step came after `read` good ones."""
        return {"spikes": self.spikes, "bad_step": read + 1, "good_loss": _mean(self.losses[-MEAN_OVER:])}

    def verdict(self, steps: int, may_rest: bool = False) -> tuple[str, str]:
        """(status, reason) of a run that has taken all its `steps`: finished, spiked or dead.

        Spiked: the training loss did not come back from a spike. Dead: it never fell. Neither can be said of fewer
        than 40 steps; nor, where losses `may_rest`, that they never fell. Squared errors may have fallen within the
        first steps, and from one step to the next they differ by as much as they are: R2 tells there. A stage of
        boosting begins where the one before it ended.
        """
        over = min(MEAN_OVER, steps // 4)
        if over < FEWEST_MEANT:
            return "finished", ""
        first, last = self.first[:over], self.losses[-over:]
        if not may_rest and not _below(last, first):
            return "dead", f"training loss never fell: {_written(first)} at first, {_written(last)} at the end"
        if self.spiked_at and _below(self.before, last):
            was = _written(self.before)
            return "spiked", f"training loss {_written(last)}, not back at {was} after step {self.spiked_at}"
        return "finished", ""


def _spikes(values: np.ndarray, history: int, stale: int) -> np.ndarray:
    """(len(values) - history,) whether each value after the first `history` stands far above those before it, of which
    the first `stale` do not count."""
    sums, squares = (np.concatenate([[0.0], np.cumsum(values**power)]) for power in (1, 2))
    ends = np.arange(history, len(values))
    starts = np.maximum(stale, ends - WINDOW)
    counts = np.maximum(1, ends - starts)
    means = (sums[ends] - sums[starts]) / counts
    spread = np.sqrt(np.maximum(0, (squares[ends] - squares[starts]) / counts - means**2))
    limit = means + DEVIATIONS * np.maximum(spread, FLOOR * np.abs(means))
    return (counts >= FEWEST) & (values[history:] > limit)


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _written(values: list[float]) -> str:
    return loss_text(float(np.mean(values)))


def _below(low: list[float], high: list[float]) -> bool:
    """Whether one mean is below the other by more than their errors."""
    if min(len(low), len(high)) < 2:
        return False
    error = math.sqrt(sum(np.var(values, ddof=1) / len(values) for values in (low, high)))
    return float(np.mean(high) - np.mean(low)) > ERRORS * error
