"""The compute-optimal frontier of a fitted law, in closed form; without one, see analysis/numeric_frontier.py.

With C = k N^(1+p) D, minimising E + A N^-alpha + B D^-beta at fixed C sets
alpha A N^-alpha = (1+p) beta B (k/C)^beta N^((1+p) beta), hence

    N* = G (C/k)^a,  a = beta / (alpha + (1+p) beta),  G = (alpha A / ((1+p) beta B))^(1/(alpha + (1+p) beta)),
    D* = C / (k N*^(1+p)),  exponent b = 1 - (1+p) a.

k = 6, p = 0 is equation 4 of Hoffmann et al. 2022. An outer exponent (Kaplan's joint law) is monotone: same N*, D*.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Compute:
    """C = k N^(1+p) D with C in FLOPs; `note` says where k and p come from, else it is the formula itself."""

    k: float = 6.0
    p: float = 0.0
    note: str = ""

    def __post_init__(self) -> None:
        formula = f"C = {self.k:.4g} N D" if self.p == 0 else f"C = {self.k:.4g} N^{1 + self.p:.4f} D"
        object.__setattr__(self, "note", self.note or formula)


SIX_N_D = Compute()


def compute_relation(n_params: np.ndarray, tokens: np.ndarray, flops: np.ndarray) -> Compute:
    """Least-squares line of ln(C/(N D)) on ln N over the runs; exactly (6, 0) where C = 6 N D."""
    ratio = np.log(flops) - np.log(n_params) - np.log(tokens)  # N D may be larger than any float
    if np.allclose(ratio, np.log(6.0), rtol=0, atol=1e-6):
        return Compute()
    x = np.log(n_params)
    if np.ptp(x) < 1e-9:
        k = float(np.exp(ratio.mean()))
        return Compute(k, 0.0, f"{Compute(k).note} (one size only)")
    slope, intercept = np.polyfit(x, ratio, 1)
    worst = np.abs(np.expm1(ratio - slope * x - intercept)).max()
    k, p = float(np.exp(intercept)), float(slope)
    return Compute(k, p, f"{Compute(k, p).note}, within {worst:.1%} of the runs' FLOPs")


@dataclasses.dataclass(frozen=True)
class Frontier:
    """N*, D* and loss over C; `samples` holds (n_bootstrap,) arrays of the same coefficients for bands."""

    coefficients: dict[str, float]  # E, A, B, alpha, beta, outer
    compute: Compute
    samples: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    name: str = "exponent"  # or "local slope": what `a` may be called, given the range of C behind it

    @property
    def a(self) -> float:
        """Exponent of N* in C."""
        return float(exponent_of_n(self.coefficients, self.compute.p))

    @property
    def b(self) -> float:
        """Exponent of D* in C."""
        return 1 - (1 + self.compute.p) * self.a

    def value(self, n_params: Any, tokens: Any) -> np.ndarray:
        """The law's loss at N parameters and D tokens, on the frontier or off it."""
        return loss_of(self.coefficients, n_params, tokens)

    def n_opt(self, flops: Any) -> np.ndarray:
        """N* at C, in parameters; same shape as `flops`."""
        return optimal_n(self.coefficients, self.compute, flops)

    def d_opt(self, flops: Any) -> np.ndarray:
        """D* at C, in tokens."""
        return tokens_at(self.compute, self.n_opt(flops), flops)

    def loss(self, flops: Any) -> np.ndarray:
        """Loss on the frontier at C, in the unit of the runs."""
        return loss_of(self.coefficients, self.n_opt(flops), self.d_opt(flops))

    def n_opt_samples(self, flops: Any) -> np.ndarray:
        """(n_bootstrap, *flops.shape) of N*."""
        return optimal_n(self._columns(flops), self.compute, flops)

    def d_opt_samples(self, flops: Any) -> np.ndarray:
        """(n_bootstrap, *flops.shape) of D*."""
        return tokens_at(self.compute, self.n_opt_samples(flops), flops)

    def loss_samples(self, flops: Any) -> np.ndarray:
        """(n_bootstrap, *flops.shape) of the loss on each resample's own frontier."""
        return loss_of(self._columns(flops), self.n_opt_samples(flops), self.d_opt_samples(flops))

    def _columns(self, flops: Any) -> dict[str, np.ndarray]:
        shape = (-1,) + (1,) * np.ndim(flops)
        return {name: values.reshape(shape) for name, values in self.samples.items()}

    def to_json(self) -> dict[str, Any]:
        """Plain numbers; the samples stay with the fit."""
        return {
            "a": self.a,
            "b": self.b,
            "name": self.name,
            "k": self.compute.k,
            "p": self.compute.p,
            "compute": self.compute.note,
            "intervals": {key: list(value) for key, value in self.intervals.items()},
        }


def exponent_of_n(c: Mapping[str, Any], p: float) -> Any:
    """a = beta / (alpha + (1+p) beta)."""
    return c["beta"] / (c["alpha"] + (1 + p) * c["beta"])


def optimal_n(c: Mapping[str, Any], compute: Compute, flops: Any) -> np.ndarray:
    """N* of coefficients that broadcast against C; computed in logarithms."""
    power = c["alpha"] + (1 + compute.p) * c["beta"]
    with np.errstate(invalid="ignore", divide="ignore"):
        log_g = np.log(c["alpha"] * c["A"]) - np.log((1 + compute.p) * c["beta"] * c["B"])
        return np.exp((log_g + c["beta"] * np.log(np.asarray(flops, dtype=float) / compute.k)) / power)


def tokens_at(compute: Compute, n_params: Any, flops: Any) -> np.ndarray:
    """D that spends C on N."""
    return np.asarray(flops, dtype=float) / (compute.k * np.asarray(n_params, dtype=float) ** (1 + compute.p))


def loss_of(c: Mapping[str, Any], n_params: Any, tokens: Any) -> np.ndarray:
    """(E + A N^-alpha + B D^-beta)^outer."""
    return (c["E"] + c["A"] * n_params ** -c["alpha"] + c["B"] * tokens ** -c["beta"]) ** c["outer"]
