"""The runs that could be trained next: shapes times tokens on log grids, within the range that the law was fitted on.

Dimension letters: H shapes, T levels of tokens, J candidates.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from analysis.load import DataError

TOKEN_LEVELS = 14
STRETCH = 4.0  # tokens a parameter may leave the range of the table by this factor, either way
ROUNDED = 0.02  # of C: what whole steps may fall short of the smallest run
LEAST_STEPS = 50  # sweep.min_steps: what the planner refuses below
MOST_EPOCHS = 4.0  # sweep.max_epochs: what it refuses above


@dataclasses.dataclass(frozen=True)
class Shape:
    """One architecture: N and FLOPs a token; width and depth 0 where the table knows none."""

    n_params: float
    flops_per_token: float
    width: int = 0
    depth: int = 0


@dataclasses.dataclass(frozen=True)
class Candidates:
    """J runs, ascending by shape, then by tokens D. `shape_J` indexes `shapes`; C of each is D times its FLOPs a token.

    `batch_tokens`: tokens of a step, 0 where the table does not say.
    """

    shapes: tuple[Shape, ...]
    shape_J: np.ndarray
    tokens_J: np.ndarray
    batch_tokens: int = 0

    def __len__(self) -> int:
        return len(self.shape_J)

    @property
    def n_params_J(self) -> np.ndarray:
        """(J,) N."""
        return np.array([shape.n_params for shape in self.shapes])[self.shape_J]

    @property
    def flops_J(self) -> np.ndarray:
        """(J,) C of a run by itself."""
        return np.array([shape.flops_per_token for shape in self.shapes])[self.shape_J] * self.tokens_J

    @property
    def steps_J(self) -> np.ndarray:
        """(J,) optimiser steps; 0 where the table says nothing of a batch."""
        return np.rint(self.tokens_J / self.batch_tokens).astype(int) if self.batch_tokens else 0 * self.shape_J

    def of_shape(self, h: int) -> np.ndarray:
        """Indices of the candidates of shape h."""
        return np.flatnonzero(self.shape_J == h)

    def take(self, rows: np.ndarray) -> "Candidates":
        """Some of them, with the shapes that are left."""
        kept, shape_J = np.unique(self.shape_J[rows], return_inverse=True)
        shapes = tuple(self.shapes[h] for h in kept)
        return dataclasses.replace(self, shapes=shapes, shape_J=shape_J, tokens_J=self.tokens_J[rows])


@dataclasses.dataclass(frozen=True)
class Extent:
    """Where candidates may lie: D in `tokens`, D / N in `ratio`, C of a run from `least_flops` up to `max_flops`.

    Below the smallest C of a table its law was never fitted, and short runs of small models can be far off it.
    """

    tokens: tuple[float, float]
    ratio: tuple[float, float]
    max_flops: float
    least_flops: float = 0.0

    @staticmethod
    def of(n_params: np.ndarray, tokens: np.ndarray, max_flops: float, most_tokens: float = np.inf) -> "Extent":
        """From the runs that are there: D from the smallest on, D / N within STRETCH of theirs."""
        ratio = tokens / n_params
        low, high = float(ratio.min() / STRETCH), float(ratio.max() * STRETCH)
        most = min(np.sqrt(max_flops * high / 6), most_tokens)  # where C = 6 N D meets the largest D / N
        return Extent((float(tokens.min()), max(float(most), float(tokens.min()))), (low, high), max_flops)

    def sizes(self, n_params: np.ndarray) -> tuple[float, float]:
        """N from the smallest that is there to where C = 6 N D meets the smallest D / N."""
        return float(n_params.min()), max(float(np.sqrt(self.max_flops / (6 * self.ratio[0]))), float(n_params.max()))


def grid(shapes: Sequence[Shape], extent: Extent, batch_tokens: int = 0, levels: int = TOKEN_LEVELS) -> Candidates:
    """Every shape at every level of D that lies in the extent, D in whole steps. Raises DataError where none does."""
    tokens_T = np.geomspace(*extent.tokens, levels)
    if batch_tokens:
        steps_T = np.unique(np.maximum(np.rint(tokens_T / batch_tokens), LEAST_STEPS))
        tokens_T = steps_T * batch_tokens
    else:
        tokens_T = np.unique(np.rint(tokens_T))
    order = sorted(set(shapes), key=lambda shape: (shape.n_params, shape.depth))
    found = Candidates(
        tuple(order), np.repeat(np.arange(len(order)), len(tokens_T)), np.tile(tokens_T, len(order)), batch_tokens
    )
    ratio_J = found.tokens_J / found.n_params_J
    low, high = extent.ratio
    fits_J = (found.flops_J <= extent.max_flops * (1 + 1e-9)) & (ratio_J >= low) & (ratio_J <= high)
    fits_J &= found.flops_J >= extent.least_flops * (1 - ROUNDED)
    fits_J &= found.tokens_J <= extent.tokens[1] * (1 + 1e-9)
    if not fits_J.any():
        cheapest = max(found.flops_J.min(), extent.least_flops)
        raise DataError(
            f"candidates: no run of at most {extent.max_flops:.3g} FLOPs lies in the range of the table; "
            f"allowed: --max_flops of {cheapest:.3g} or more"
        )
    return found.take(np.flatnonzero(fits_J))
