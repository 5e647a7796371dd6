"""What is asked of an experiment, and what was found: the next runs beside an even grid of equal cost."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from analysis.design.candidates import Candidates
from analysis.design.costs import Costs
from analysis.design.errors import Errors
from analysis.design.search import Limits, Step
from analysis.fitting import Fit
from scaling_laws.config import ConfigError

TARGETS = ("loss", "exponent", "choice")


@dataclasses.dataclass(frozen=True)
class Target:
    """What is asked: `name` of TARGETS; `at` for a loss; the `rival` of the fitted law for a choice."""

    name: str
    at: Mapping[str, float] = dataclasses.field(default_factory=dict)
    rival: Fit | None = None

    def __post_init__(self) -> None:
        if self.name not in TARGETS:
            raise ConfigError(f"target: {self.name!r}; allowed: {', '.join(TARGETS)}")
        if self.name == "loss" and not self.at:
            raise ConfigError("at: missing; allowed with --target=loss: flops=..., or n_params=...,tokens=...")
        if (self.name == "choice") != (self.rival is not None):
            raise ConfigError("laws: two laws are compared by --target=choice alone; allowed: both or neither")

    def __str__(self) -> str:
        if self.name == "loss":
            return "loss at " + ", ".join(f"{name} {value:.4g}" for name, value in self.at.items())
        if self.name == "exponent":
            return "exponent a of N* in C"
        return f"choice of law, against {self.rival.law if self.rival else '?'}"


@dataclasses.dataclass(frozen=True)
class Promise:
    """What a set of runs is expected to come to: runs, FLOPs, and the half-width of the target's interval.

    Of a loss the half-width is that of ln loss; of a choice it is that of gamma (see `targets`), and `distance` its
    inverse standard error: how many standard errors the rival law is off.
    """

    runs: int
    flops: float
    half_width: float
    distance: float


@dataclasses.dataclass(frozen=True)
class NextRuns:
    """The design `counts_J` and the even grid `even_J` of at most the same cost; `level` of the intervals.

    `path` and `even_path`: (FLOPs spent, half-width) as runs are taken in the order of gain per FLOP.
    """

    target: Target
    estimate: float | None
    level: float
    candidates: Candidates
    costs: Costs
    errors: Errors
    limits: Limits
    counts_J: np.ndarray
    even_J: np.ndarray
    before: Promise
    after: Promise
    even: Promise
    path: tuple[Step, ...]
    even_path: tuple[Step, ...]
    notes: tuple[str, ...] = ()

    @property
    def ratio(self) -> float:
        """Half-width after the design over that after the even grid."""
        return self.after.half_width / self.even.half_width

    def rows(self, counts_J: np.ndarray | None = None) -> list[dict[str, Any]]:
        """The chosen runs, or those of `counts_J`, ascending by N, then D: shape, N, D, steps, seeds, and the FLOPs of
        all of them by themselves."""
        counts_J = self.counts_J if counts_J is None else counts_J
        found = []
        for j in np.flatnonzero(counts_J):
            shape = self.candidates.shapes[self.candidates.shape_J[j]]
            found.append(
                {
                    "width": shape.width,
                    "depth": shape.depth,
                    "n_params": shape.n_params,
                    "tokens": float(self.candidates.tokens_J[j]),
                    "steps": int(self.candidates.steps_J[j]),
                    "seeds": int(counts_J[j]),
                    "flops": float(self.candidates.flops_J[j] * counts_J[j]),
                }
            )
        return found

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        promises = {name: dataclasses.asdict(getattr(self, name)) for name in ("before", "after", "even")}
        limits = {name: getattr(self.limits, name) for name in ("budget", "max_runs", "max_seeds")}
        noise = self.errors.noise_J
        return {
            "target": str(self.target),
            "estimate": self.estimate,
            "level": self.level,
            "runs": self.rows(),
            "even_runs": self.rows(self.even_J),
            **promises,
            "ratio": self.ratio,
            **limits,
            "max_flops": float(self.candidates.flops_J.max()),
            "cooldown": self.costs.cooldown,
            "noise": [float(noise.min()), float(noise.max())],
            "misfit": self.errors.misfit,
            "trunk_correlation": self.errors.trunk,
            "path": [list(step) for step in self.path],
            "even_path": [list(step) for step in self.even_path],
            "notes": list(self.notes),
        }
