"""How far a method's minimum lies from the true one though the runs be noiseless: computed on the fitted surface.

A parabola in ln N through a valley that is steeper on one side than on the other has its vertex beside the bottom
(alpha .34, beta .28 and sizes within a factor of 16 on either side: log10 N* is .0227 too high). With grids centred
alike the shift is the same at every C and the slope stays right; with grids that drift across the valley it does not.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from analysis.frontier import tokens_at
from analysis.isoflop.cells import Cell

Place = Callable[[np.ndarray, np.ndarray], float]


def shift_log10(front: Any, flops: float, n_params: np.ndarray, place: Place) -> float:
    """log10 of (N* that `place` finds / the surface's N*) at C over sizes (N,); NaN where either has none.

    front: a Frontier or NumericFrontier with `value`. place: (ln N, loss) -> ln N*, as `parabola.place`.
    """
    n = np.asarray(n_params, dtype=float)
    found = place(np.log(n), np.ravel(front.value(n[None], tokens_at(front.compute, n[None], flops))))
    with np.errstate(divide="ignore", invalid="ignore"):
        return float((found - np.log(front.n_opt(flops))) / np.log(10))


def shifts(front: Any, cells: Sequence[Cell], place: Place) -> np.ndarray:
    """(K,) `shift_log10` of every budget at exactly its sizes."""
    return np.array([shift_log10(front, cell.budget, cell.n_params, place) for cell in cells])
