"""The runs of one budget as the methods of approach 2 read them, and the minimum that a method hands back.

Dimension letters: B resamples, N runs, U different sizes.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from analysis.budgets import budget_groups
from analysis.load import Runs


@dataclasses.dataclass(frozen=True)
class Cell:
    """The runs of one budget, smallest first; `rows` are their places in the table."""

    budget: float
    rows: np.ndarray
    n_params: np.ndarray
    tokens: np.ndarray
    loss: np.ndarray

    @functools.cached_property
    def log_n(self) -> np.ndarray:
        """(N,) ln N, ascending."""
        return np.log(self.n_params)

    @functools.cached_property
    def sizes(self) -> np.ndarray:
        """(U,) different ln N, ascending."""
        return np.unique(self.log_n)

    def mean_by_size(self, values: np.ndarray) -> np.ndarray:
        """(U,) means over the runs of each size."""
        which = np.searchsorted(self.sizes, self.log_n)
        return np.bincount(which, values) / np.bincount(which)

    def log_d(self, log_n: Any) -> Any:
        """ln D along the budget at ln N: the straight line of its ln D over ln N."""
        slope, intercept = np.polyfit(self.log_n - self.log_n.mean(), np.log(self.tokens), 1)
        return intercept + slope * (log_n - self.log_n.mean())


@dataclasses.dataclass(frozen=True)
class Minimum:
    """The lowest point of one budget's curve; `drawn` holds (B,) resampled ln N*, NaN without an interior minimum."""

    log_n: float
    log_d: float
    log_loss: float
    curve: Callable[[Any], np.ndarray]
    drawn: np.ndarray
    drawn_d: np.ndarray  # ln D*
    drawn_loss: np.ndarray  # ln loss there
    reason: str = ""


def cells_of(runs: Runs) -> tuple[np.ndarray, list[Cell]]:
    """(n,) budget number of each run and the budgets, ascending: the column `budget`, else clusters of `flops`."""
    labels, budgets = budget_groups(runs)
    return labels, [_cell(runs, labels == k, float(budget)) for k, budget in enumerate(budgets)]


def _cell(runs: Runs, members: np.ndarray, budget: float) -> Cell:
    rows = np.flatnonzero(members)[np.argsort(runs["n_params"][members], kind="stable")]
    return Cell(budget, rows, *(runs[name][rows].astype(float) for name in ("n_params", "tokens", "loss")))


def logs(losses: Any) -> Any:
    """ln loss, NaN of what a parabola puts at or below 0."""
    return np.log(np.where(losses > 0, losses, np.nan))


def edge_reason(cell: Cell, log_n: float) -> str:
    """Why ln N* is no interior minimum of the sizes tried; empty where it is one."""
    sizes = cell.sizes
    if not np.isfinite(log_n):
        return "edge: the curve has no minimum"
    if log_n <= sizes[0] or log_n >= sizes[-1]:
        return f"edge: the minimum lies {'below the smallest' if log_n <= sizes[0] else 'above the largest'} size"
    return ""


def lowest_reason(cell: Cell) -> str:
    """Why the measured losses show no interior minimum; empty where they do."""
    lowest = int(np.argmin(cell.mean_by_size(cell.loss)))
    if lowest in (0, len(cell.sizes) - 1):
        return f"edge: the lowest loss is at the {'smallest' if lowest == 0 else 'largest'} size"
    return ""
