"""The frontier under another way of counting: what becomes of an exponent when N leaves out the embedding.

A law in the total count N_T and D, seen by somebody who counts N and spends C = 6 N D: at fixed C they minimise
L(N_T(N), C / (6 N)) over N. With e(N) = d ln N_T / d ln N the optimum obeys
alpha A N_T^-alpha e = beta B D^-beta, so that each N is optimal for exactly one C (Pearce and Song 2024).
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from analysis.frontier import SIX_N_D, Compute, exponent_of_n, loss_of
from analysis.lines import frontier_line
from analysis.numeric_frontier import NumericFrontier
from analysis.published import BESIROGLU_2024, EMBEDDING_PARAMS, KAPLAN_SIZES
from scaling_laws.config import ConfigError

CHINCHILLA = ("E", "A", "B", "alpha", "beta")


@dataclasses.dataclass(frozen=True)
class Slopes:
    """The exponents of N* in C that one and the same law shows over a range of N."""

    least_squares: float  # of ln N* over ln C, N log-uniform over the range: what a study of such runs would print
    endpoints: float  # of the straight line between the smallest and the largest N
    local: tuple[float, float]  # least and greatest d ln N* / d ln C within the range
    asymptotic: float  # as N grows and the two counts agree: beta / (alpha + beta)


def with_embedding(n_params: Any, per_cube_root: float = EMBEDDING_PARAMS) -> np.ndarray:
    """N_T = N + 47491 N^(1/3): parameters with the embedding from those without (Pearce and Song 2024)."""
    n = np.asarray(n_params, dtype=float)
    return n + per_cube_root * np.cbrt(n)


def recounted(
    coefficients: Mapping[str, float],
    total: Callable[[Any], np.ndarray] = with_embedding,
    compute: Compute = SIX_N_D,
    at: float = 1e21,
) -> NumericFrontier:
    """The frontier of E + A N_T^-alpha + B D^-beta for counts N with N_T = total(N) and C = k N^(1+p) D.

    `at`: the C, so counted, at which its slope is read. Raises ConfigError for coefficients of another law.
    """
    c = _chinchilla(coefficients)
    return NumericFrontier(lambda n, d: loss_of(c, total(n), d), compute, at)


def pearce_song_slope(
    coefficients: Mapping[str, float] = BESIROGLU_2024.coefficients,
    sizes: tuple[float, float] = KAPLAN_SIZES,
    points: int = 2000,
) -> Slopes:
    """The exponents that Kaplan et al.'s counts would show if the law in the total count were true.

    N without embedding at `points` log-uniform sizes, C = 6 N D of that N. With Besiroglu et al.'s coefficients and
    sizes 768 .. 1.5e9 the least-squares slope is .79, where Kaplan et al. printed .73; between the endpoints it is
    .749; locally it rises from .76 at the smallest sizes to .98 near N = 2e6 and falls to .53 at the largest;
    asymptotically it is .513, which is also what the total counts show at any size (Hoffmann et al.: .50).
    """
    c = _chinchilla(coefficients)
    n = np.geomspace(*sizes, points)
    flops, slope = non_embedding_compute(n, c), local_slope(n, c)
    return Slopes(
        least_squares=frontier_line(flops, n)[1],
        endpoints=float(np.log(n[-1] / n[0]) / np.log(flops[-1] / flops[0])),
        local=(float(slope.min()), float(slope.max())),
        asymptotic=float(exponent_of_n(c, 0.0)),
    )


def non_embedding_compute(n_params: Any, coefficients: Mapping[str, float]) -> np.ndarray:
    """C = 6 N D in FLOPs for which N parameters without embedding are optimal (Pearce and Song 2024)."""
    n, c = np.asarray(n_params, dtype=float), _chinchilla(coefficients)
    log_d = np.log(c["beta"] * c["B"]) - np.log(c["alpha"] * c["A"] * _elasticity(n))
    return 6 * n * np.exp((log_d + c["alpha"] * np.log(with_embedding(n))) / c["beta"])


def local_slope(n_params: Any, coefficients: Mapping[str, float]) -> np.ndarray:
    """d ln N* / d ln C at N without embedding, C = 6 N D of that count: 1 over 1 + (alpha e - d ln e / d ln N) / beta.

    Raises ConfigError for coefficients of another law.
    """
    n, c = np.asarray(n_params, dtype=float), _chinchilla(coefficients)
    share, e = n / with_embedding(n), _elasticity(n)
    d_log_e = (2 / 3) * share * (1 - e) / e
    return 1 / (1 + (c["alpha"] * e - d_log_e) / c["beta"])


def _elasticity(n: np.ndarray) -> np.ndarray:
    """d ln N_T / d ln N: from 1/3 where the embedding is everything to 1 where it is nothing."""
    share = n / with_embedding(n)
    return share + (1 - share) / 3


def _chinchilla(coefficients: Mapping[str, float]) -> dict[str, float]:
    missing = [name for name in CHINCHILLA if name not in coefficients]
    if missing:
        raise ConfigError(f"coefficients: no {missing[0]!r}; allowed: {', '.join(CHINCHILLA)} of law 'chinchilla'")
    return {name: coefficients[name] for name in CHINCHILLA} | {"outer": 1.0}
