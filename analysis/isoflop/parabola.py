"""The minimum of a parabola in ln N, fitted to the loss of one budget by least squares (Hoffmann et al. 2022, 3.2).

Or to the logarithm of the loss: where nothing is irreducible the loss falls by powers of ten, its noise with it, and
squared errors of few runs have means that one run decides. ln loss is then what noise is equal in.

Dimension letters: B resamples (or 1), N runs.
"""

import dataclasses
from typing import Any

import numpy as np

from analysis.isoflop.cells import Cell, Minimum, edge_reason, logs, lowest_reason


@dataclasses.dataclass(frozen=True)
class Parabola:
    """c0 + c1 u + c2 u^2 with u = ln N - center; `logarithmic`: of ln loss."""

    coefficients: tuple[float, float, float]
    center: float
    logarithmic: bool = False

    def __call__(self, n_params: Any) -> np.ndarray:
        """The fitted loss at N."""
        found = np.polynomial.polynomial.polyval(np.log(n_params) - self.center, self.coefficients)
        return np.exp(found) if self.logarithmic else found


def place(log_n: np.ndarray, loss: np.ndarray) -> float:
    """ln N* of the parabola through (N,) losses at ln N; NaN where it has no minimum."""
    center = log_n.mean()
    return float(vertices(parabolas(log_n - center, loss, np.ones((1, len(loss)))))[0] + center)


def place_of_log(log_n: np.ndarray, loss: np.ndarray) -> float:
    """ln N* of the parabola through ln loss; NaN where it has no minimum."""
    return place(log_n, np.log(loss))


def minimum(cell: Cell, weights_BxN: np.ndarray, logarithmic: bool = False) -> Minimum:
    """The budget's minimum; `weights` say how often each of its runs was drawn, `logarithmic`: of ln loss."""
    center = float(cell.log_n.mean())
    u, height = cell.log_n - center, np.log(cell.loss) if logarithmic else cell.loss
    fitted, resampled = parabolas(u, height, np.ones((1, len(u)))), parabolas(u, height, weights_BxN)
    log_n = float(vertices(fitted)[0] + center)
    drawn = vertices(resampled) + center
    drawn = np.where((drawn >= cell.log_n[0]) & (drawn <= cell.log_n[-1]), drawn, np.nan)
    curve = Parabola((float(fitted[0, 0]), float(fitted[0, 1]), float(fitted[0, 2])), center, logarithmic)
    no_minimum = "" if np.isfinite(log_n) else "edge: the parabola opens downwards, no minimum"
    return Minimum(
        log_n=log_n,
        log_d=cell.log_d(log_n),
        log_loss=float(logs(curve(np.exp(log_n)))),
        curve=curve,
        drawn=drawn,
        drawn_d=cell.log_d(drawn),
        drawn_loss=_log_heights(resampled, drawn - center, logarithmic),
        reason=no_minimum or edge_reason(cell, log_n) or lowest_reason(cell),
    )


def _log_heights(parabola_Bx3: np.ndarray, u_B: np.ndarray, logarithmic: bool) -> np.ndarray:
    """(B,) ln loss of each parabola at its own u."""
    height = (parabola_Bx3 * u_B[:, None] ** np.arange(3)).sum(axis=1)
    return height if logarithmic else logs(height)


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
