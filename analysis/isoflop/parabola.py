"""The minimum of a parabola in ln N, fitted to the loss of one budget by least squares (Hoffmann et al. 2022, 3.2).

Dimension letters: B resamples (or 1), N runs.
"""

import dataclasses
from typing import Any

import numpy as np

from analysis.isoflop.cells import Cell, Minimum, edge_reason, lowest_reason


@dataclasses.dataclass(frozen=True)
class Parabola:
    """c0 + c1 u + c2 u^2 with u = ln N - center."""

    coefficients: tuple[float, float, float]
    center: float

    def __call__(self, n_params: Any) -> np.ndarray:
        """The fitted loss at N."""
        return np.polynomial.polynomial.polyval(np.log(n_params) - self.center, self.coefficients)


def place(log_n: np.ndarray, loss: np.ndarray) -> float:
    """ln N* of the parabola through (N,) losses at ln N; NaN where it has no minimum."""
    center = log_n.mean()
    return float(vertices(parabolas(log_n - center, loss, np.ones((1, len(loss)))))[0] + center)


def minimum(cell: Cell, weights_BxN: np.ndarray) -> Minimum:
    """The budget's minimum; `weights` say how often each of its runs was drawn."""
    center = float(cell.log_n.mean())
    u = cell.log_n - center
    fitted = parabolas(u, cell.loss, np.ones((1, len(u))))
    log_n = float(vertices(fitted)[0] + center)
    drawn = vertices(parabolas(u, cell.loss, weights_BxN)) + center
    drawn = np.where((drawn >= cell.log_n[0]) & (drawn <= cell.log_n[-1]), drawn, np.nan)
    curve = Parabola((float(fitted[0, 0]), float(fitted[0, 1]), float(fitted[0, 2])), center)
    no_minimum = "" if np.isfinite(log_n) else "edge: the parabola opens downwards, no minimum"
    reason = no_minimum or edge_reason(cell, log_n) or lowest_reason(cell)
    return Minimum(log_n, cell.log_d(log_n), float(curve(np.exp(log_n))), curve, drawn, cell.log_d(drawn), reason)


def parabolas(u_N: np.ndarray, loss_N: np.ndarray, weights_BxN: np.ndarray) -> np.ndarray:
    """(B, 3) weighted least-squares c0 + c1 u + c2 u^2; NaN where fewer than three different u have weight."""
    basis = np.stack([np.ones_like(u_N), u_N, u_N**2])
    gram = np.einsum("bn,in,jn->bij", weights_BxN, basis, basis, optimize=True)
    moment = weights_BxN @ (basis * loss_N).T
    order = np.argsort(u_N, kind="stable")
    first = np.flatnonzero(np.append(True, np.diff(u_N[order]) > 0))  # of every different u
    present = (np.add.reduceat(weights_BxN[:, order], first, axis=1) > 0).sum(axis=1)
    gram[present < 3] = np.eye(3)
    solved = np.linalg.solve(gram, moment[:, :, None])[:, :, 0]
    solved[present < 3] = np.nan
    return solved


def vertices(parabola_Bx3: np.ndarray) -> np.ndarray:
    """(B,) place of the minimum in u; NaN where the parabola has none."""
    c1, c2 = parabola_Bx3[:, 1], parabola_Bx3[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(c2 > 0, -c1 / (2 * c2), np.nan)
