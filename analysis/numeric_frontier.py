"""The compute-optimal frontier of any law L(N, D), found numerically where there is no closed form.

At each C the loss is minimised over x = ln N with D = C / (k N^(1+p)): a grid from one parameter to one token brackets
the minimum, golden sections narrow it, and Newton's method on an eighth-order difference quotient ends it, since the
value alone fixes x only to the square root of machine precision. All C and all resamples go as one batch.

Dimension letters: B resamples (or 1), M values of C, G points of the grid.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from analysis import uncertainty
from analysis.frontier import SIX_N_D, Compute, tokens_at

Law = Callable[[np.ndarray, np.ndarray], np.ndarray]

GRID = 48
GOLDEN = (np.sqrt(5) - 1) / 2
SECTIONS = 36  # from a step of the grid to 1e-7 in ln N
STEP = 0.1  # of the difference quotients, in ln N
FIRST = np.array([0.0, 4 / 5, -1 / 5, 4 / 105, -1 / 280])  # central, eighth order: f' and f'' at offsets 0 .. 4
SECOND = np.array([-205 / 72, 8 / 5, -1 / 5, 8 / 315, -1 / 560])
NEWTON_REACH = 1e-3  # a Newton step that leaves the section's answer by more (at a kink) is not taken
BLOCK = 2_000_000  # values of the law at a time


@dataclasses.dataclass(frozen=True)
class NumericFrontier:
    """N*, D* and loss over C of `value`, with the interface of `frontier.Frontier`.

    value: law (1, M) N and D -> (1, M) loss. samples: the resampled laws, (1 or B, M) N and D -> (B, M) losses, row b
    by resample b. at: the C in FLOPs at which `a` and `b` are read, for such a frontier need not be a power of C.
    N* is NaN where the loss has no minimum between one parameter and one token.
    """

    value: Law
    compute: Compute = SIX_N_D
    at: float = 1e21
    samples: Law | None = None
    level: float = 0.9

    @property
    def name(self) -> str:
        """What `a` may be called."""
        return f"local slope at C={self.at:.3g}"

    @functools.cached_property
    def a(self) -> float:
        """d ln N* / d ln C at `at`."""
        return float(self._slopes(self.value)[0])

    @property
    def b(self) -> float:
        """d ln D* / d ln C at `at`."""
        return 1 - (1 + self.compute.p) * self.a

    @functools.cached_property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """Central intervals of a and b at `level` over the resamples; empty without them."""
        if self.samples is None:
            return {}
        a = self._slopes(self.samples)
        return uncertainty.percentiles({"a": a, "b": 1 - (1 + self.compute.p) * a}, self.level)

    def n_opt(self, flops: Any) -> np.ndarray:
        """N* at C, in parameters; same shape as `flops`."""
        return self._optimum(self.value, flops)[0].reshape(np.shape(flops))

    def d_opt(self, flops: Any) -> np.ndarray:
        """D* at C, in tokens."""
        return tokens_at(self.compute, self.n_opt(flops), flops)

    def loss(self, flops: Any) -> np.ndarray:
        """Loss on the frontier at C, in the law's unit."""
        return self._optimum(self.value, flops)[1].reshape(np.shape(flops))

    def n_opt_samples(self, flops: Any) -> np.ndarray:
        """(B, *flops.shape) of N*. Without samples: (0, *flops.shape)."""
        return self._of_samples(flops)[0]

    def d_opt_samples(self, flops: Any) -> np.ndarray:
        """(B, *flops.shape) of D*."""
        return tokens_at(self.compute, self.n_opt_samples(flops), flops)

    def loss_samples(self, flops: Any) -> np.ndarray:
        """(B, *flops.shape) of the loss on each resample's own frontier."""
        return self._of_samples(flops)[1]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, with the keys of `frontier.Frontier` and `at`."""
        relation = {"k": self.compute.k, "p": self.compute.p, "compute": self.compute.note}
        intervals = {key: list(value) for key, value in self.intervals.items()}
        return {"a": self.a, "b": self.b, "name": self.name, "at": self.at, **relation, "intervals": intervals}

    def _optimum(self, law: Law, flops: Any) -> tuple[np.ndarray, np.ndarray]:
        log_n, loss = minimise(law, self.compute, np.ravel(np.asarray(flops, dtype=float)))
        return np.exp(log_n), loss

    def _of_samples(self, flops: Any) -> tuple[np.ndarray, np.ndarray]:
        if self.samples is None:
            nothing = np.empty((0, *np.shape(flops)))
            return nothing, nothing
        n, loss = self._optimum(self.samples, flops)
        return n.reshape(-1, *np.shape(flops)), loss.reshape(-1, *np.shape(flops))

    def _slopes(self, law: Law) -> np.ndarray:
        """(B,) d ln N* / d ln C at `at`, by an eighth-order central difference."""
        offsets = np.arange(-4, 5) * 2 * STEP
        log_n, _ = minimise(law, self.compute, self.at * np.exp(offsets))
        return (log_n[:, 5:] - log_n[:, 3::-1]) @ FIRST[1:] / (2 * STEP)


def minimise(law: Law, compute: Compute, flops_M: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(B, M) ln N* and the loss there; NaN without an interior minimum. B is the rows that `law` answers with."""
    with np.errstate(all="ignore"):
        one = np.ones((1, 1))
        rows = len(law(one, one))
        width = max(1, BLOCK // (rows * GRID))
        parts = [_minimise(law, compute, flops_M[i : i + width]) for i in range(0, len(flops_M), width)]
    log_n, loss = (np.concatenate([part[k] for part in parts], axis=1) for k in (0, 1))
    return log_n, loss


def _minimise(law: Law, compute: Compute, flops_M: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    def loss_at(x: np.ndarray) -> np.ndarray:
        """(B, M) losses at ln N of shape (1 or B, M)."""
        found = law(np.exp(x), tokens_at(compute, np.exp(x), flops_M))
        return np.where(np.isfinite(found), found, np.inf)

    last_M = np.log(flops_M / compute.k) / (1 + compute.p)
    steps = np.linspace(0, 1, GRID)
    on_grid = np.stack([loss_at(share * last_M[None]) for share in steps])  # (G, B, M)
    best = on_grid.argmin(axis=0)
    inside = (best > 0) & (best < GRID - 1) & (last_M > 0)
    step = last_M / (GRID - 1)
    place = _golden(loss_at, (best - 1) * step, (best + 1) * step)
    place = _newton(loss_at, place)
    return np.where(inside, place, np.nan), np.where(inside, loss_at(place), np.nan)


def _golden(loss_at: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The minimum between low and high (B, M), to SECTIONS golden sections."""
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    f_left, f_right = loss_at(left), loss_at(right)
    for _ in range(SECTIONS):
        lower = f_left <= f_right
        low, high = np.where(lower, low, left), np.where(lower, right, high)
        fresh = np.where(lower, high - GOLDEN * (high - low), low + GOLDEN * (high - low))
        f_fresh = loss_at(fresh)
        left, right, f_left, f_right = (
            np.where(lower, fresh, right),
            np.where(lower, left, fresh),
            np.where(lower, f_fresh, f_right),
            np.where(lower, f_left, f_fresh),
        )
    return (low + high) / 2


def _newton(loss_at: Callable[[np.ndarray], np.ndarray], start: np.ndarray) -> np.ndarray:
    """The stationary point next to `start`; `start` itself where the law has a kink there."""
    place, f_start = start, loss_at(start)
    for _ in range(2):
        first, second = np.zeros_like(f_start), SECOND[0] * loss_at(place)
        for j in range(1, len(FIRST)):
            above, below = loss_at(place + j * STEP), loss_at(place - j * STEP)
            first, second = first + FIRST[j] * (above - below), second + SECOND[j] * (above + below)
        place = place - np.where(second > 0, STEP * first / second, np.nan)
    near = np.abs(place - start) < NEWTON_REACH
    return np.where(near & (loss_at(place) <= f_start * (1 + 1e-12)), place, start)
