"""What approach 2 found: one minimum a budget, and the lines of ln N*, ln D* and ln loss* over ln C.

Dimension letters: B resamples.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

NAN = float("nan")


@dataclasses.dataclass(frozen=True)
class Group:
    """One budget in FLOPs, its runs by size, and the minimum of its loss over N."""

    budget: float
    n_params: np.ndarray
    tokens: np.ndarray
    loss: np.ndarray
    n_opt: float = NAN
    d_opt: float = NAN
    loss_opt: float = NAN
    reason: str = ""  # why it is dropped from the line; empty where it is kept
    curve: Callable[[Any], np.ndarray] | None = None  # the fitted loss at N; None where there were too few sizes
    n_opt_interval: tuple[float, float] | None = None
    n_opt_sd: float = NAN  # of ln N* over the resamples
    bias_log10_n: float = NAN  # log10 N* too high on the noiseless fitted surface at exactly these sizes; NaN: unknown

    @property
    def edge(self) -> bool:
        """Whether the minimum is dropped from the line."""
        return bool(self.reason)

    @property
    def fitted(self) -> bool:
        """Whether there were sizes enough for a curve."""
        return self.curve is not None

    def to_json(self) -> dict[str, Any]:
        """Plain values without the runs."""
        keys = ("budget", "n_opt", "d_opt", "loss_opt", "edge", "reason", "n_opt_interval", "n_opt_sd", "bias_log10_n")
        sizes = len(np.unique(self.n_params))
        return {key: getattr(self, key) for key in keys} | {"runs": len(self.loss), "sizes": sizes}


@dataclasses.dataclass(frozen=True)
class Isoflop:
    """All budgets and the lines of ln N*, ln D* and ln loss* over ln C through those whose minimum is interior.

    That of the loss takes no floor off it: a power of C where nothing is irreducible, else a local slope.
    """

    groups: tuple[Group, ...]
    line: tuple[float, float]  # ln N* = line[0] + line[1] ln C; NaN with fewer than two interior budgets
    d_line: tuple[float, float]
    loss_line: tuple[float, float]
    line_samples: np.ndarray  # (n_bootstrap, 2)
    d_line_samples: np.ndarray
    a_interval: tuple[float, float] | None
    b_interval: tuple[float, float] | None
    c_interval: tuple[float, float] | None
    level: float
    name: str  # "exponent", or "local slope" below two decades of C or five budgets
    notes: tuple[str, ...]
    method: str = "parabola"
    weights: str = "equal"
    draws: str = ""  # what was resampled; empty without resamples
    a_bias: float = NAN  # a too high on the noiseless fitted surface at exactly these sizes
    law_residual_sd: float = NAN  # of ln loss around that surface: a bias is as good as the law it is computed on

    @property
    def a(self) -> float:
        """Exponent of N* in C."""
        return self.line[1]

    @property
    def b(self) -> float:
        """Exponent of D* in C."""
        return self.d_line[1]

    @property
    def c(self) -> float:
        """Exponent of loss* in 1/C."""
        return -self.loss_line[1]

    def n_opt(self, flops: Any) -> np.ndarray:
        """N* on the line."""
        return np.exp(self.line[0] + self.line[1] * np.log(flops))

    def d_opt(self, flops: Any) -> np.ndarray:
        """D* on its line."""
        return np.exp(self.d_line[0] + self.d_line[1] * np.log(flops))

    def n_opt_samples(self, flops: Any) -> np.ndarray:
        """(n_bootstrap, *flops.shape) of N*."""
        x = np.log(np.asarray(flops, dtype=float))
        return np.exp(np.add.outer(self.line_samples[:, 0], 0 * x) + np.multiply.outer(self.line_samples[:, 1], x))

    def to_json(self) -> dict[str, Any]:
        """The lines and one entry a budget."""
        names = (
            "method",
            "a",
            "a_interval",
            "a_bias",
            "law_residual_sd",
            "b",
            "b_interval",
            "c",
            "c_interval",
            "level",
            "name",
            "line",
            "d_line",
            "loss_line",
        )
        groups = [group.to_json() for group in self.groups]
        found = {name: getattr(self, name) for name in (*names, "weights", "draws")}
        return found | {"groups": groups, "notes": list(self.notes)}


def interior(result: Isoflop) -> Iterator[Group]:
    """The budgets that carry the line."""
    return (group for group in result.groups if not group.edge)
