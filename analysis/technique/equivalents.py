"""How much of N, D or C a surface law needs for a loss: its inverses in closed form, as logarithms.

With S = L^(1/outer) - E the law (E + A N^-alpha + B D^-beta)^outer gives A N^-alpha = S - B D^-beta, and likewise for
D. On the frontier of C = k N^(1+p) D, where alpha A N^-alpha = (1+p) beta B D^-beta (analysis/frontier.py),
S = A N^-alpha (1 + alpha / ((1+p) beta)), hence N*, D* and C. A loss that no N (or D, or C) reaches is at infinity.
Coefficients (E, A, B, alpha, beta, outer) broadcast against places and losses.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from analysis.frontier import Compute

Surface = Mapping[str, Any]


def log_n(c: Surface, log_loss: Any, tokens: Any) -> np.ndarray:
    """ln N at which the law has this ln loss with D tokens; inf where none has."""
    return _power(_above_floor(c, log_loss) - c["B"] * tokens ** -c["beta"], c["A"], c["alpha"])


def log_d(c: Surface, log_loss: Any, n_params: Any) -> np.ndarray:
    """ln D at which the law has this ln loss with N parameters; inf where none has."""
    return _power(_above_floor(c, log_loss) - c["A"] * n_params ** -c["alpha"], c["B"], c["beta"])


def log_c(c: Surface, compute: Compute, log_loss: Any) -> np.ndarray:
    """ln of the least C in FLOPs with which the law's frontier has this ln loss; inf where none has."""
    reducible, cost = _above_floor(c, log_loss), 1 + compute.p
    share_of_n = c["beta"] * cost / (c["alpha"] + c["beta"] * cost)
    n = _power(reducible * share_of_n, c["A"], c["alpha"])
    d = _power(reducible * (1 - share_of_n), c["B"], c["beta"])
    return np.log(compute.k) + cost * n + d


def log_loss(c: Surface, n_params: Any, tokens: Any) -> np.ndarray:
    """ln of the law."""
    with np.errstate(all="ignore"):
        return c["outer"] * np.log(c["E"] + c["A"] * n_params ** -c["alpha"] + c["B"] * tokens ** -c["beta"])


def _above_floor(c: Surface, log_loss: Any) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.exp(log_loss / c["outer"]) - c["E"]


def _power(term: np.ndarray, coefficient: Any, exponent: Any) -> np.ndarray:
    """ln x of term = coefficient x^-exponent; inf for a term that no finite x makes so small."""
    with np.errstate(all="ignore"):
        return np.where(term > 0, (np.log(coefficient) - np.log(term)) / exponent, np.inf)
