"""What was found of the arms of a table, as plain values."""

import dataclasses
import math
from typing import Any

from analysis.technique.baseline import Baseline

# quantity -> how it is written
QUANTITIES = {"m_n": "m_N", "m_d": "m_D", "ceg": "CEG", "ceg_sunk": "CEG with sunk"}
BELOW_NOISE, REFUSED, UNKNOWN = "below seed noise", "refused", "no interval"
NO_INTERVAL = (math.nan, math.nan)


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A number with its interval (NaN without resamples), of how many cells, and why it is refused, or nothing.

    `outside`: the number itself lies beyond what the baseline measured, by less than its interval tells.
    """

    value: float = math.nan
    interval: tuple[float, float] = NO_INTERVAL
    cells: int = 1
    reason: str = ""
    outside: bool = False

    @property
    def bounded(self) -> bool:
        """Whether both ends are finite."""
        return all(map(math.isfinite, self.interval))

    def verdict(self, neutral: float = 1.0) -> str:
        """Better or worse than `neutral`, below the noise, refused, or without an interval."""
        if self.reason:
            return REFUSED
        low, high = self.interval
        if math.isnan(low):
            return UNKNOWN
        return BELOW_NOISE if low <= neutral <= high else "better" if low > neutral else "worse"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self) | {"interval": list(self.interval)}


@dataclasses.dataclass(frozen=True)
class ArmCell:
    """One cell of an arm: the loss that is compared (by paired differences where `pairs`, else as it is) and what it is
    worth. `gap`: the least C of the baseline's frontier for the baseline's loss at this place, over the C spent there;
    CEG times that is C0*(L_T) / C_T itself."""

    said: str
    n_params: float
    tokens: float
    flops: float
    sunk: float
    learning_rate: float
    edge: bool
    seeds: int
    pairs: int
    loss: float
    gap: float
    worth: dict[str, Estimate]
    run_ids: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self) | {"worth": {name: one.to_json() for name, one in self.worth.items()}}


@dataclasses.dataclass(frozen=True)
class Slope:
    """Of the logarithm of a quantity over ln C, with its verdict. The line goes through the pooled quantity at `flops`,
    NaN where there is none."""

    estimate: Estimate
    verdict: str
    flops: float = math.nan

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return self.estimate.to_json() | {"verdict": self.verdict, "flops": self.flops}


@dataclasses.dataclass(frozen=True)
class Shift:
    """The fit of L_T = L0(m N, D) + dE; `reason`: why these two are not identified, or nothing."""

    m_n: Estimate
    d_e: Estimate
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"m_n": self.m_n.to_json(), "d_e": self.d_e.to_json(), "reason": self.reason}


@dataclasses.dataclass(frozen=True)
class Arm:
    """A technique at one strength. `pooled` and `slopes` by quantity; `left_out`: cells without a loss -> why."""

    technique: str
    strength: float
    cells: tuple[ArmCell, ...]
    pooled: dict[str, Estimate]
    slopes: dict[str, Slope]
    shift: Shift
    left_out: dict[str, str]

    @property
    def name(self) -> str:
        """`sparsity 0.5`."""
        return f"{self.technique} {self.strength:g}"

    @property
    def verdict(self) -> str:
        """That of the pooled m_N."""
        return self.pooled["m_n"].verdict()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "technique": self.technique,
            "strength": self.strength,
            "verdict": self.verdict,
            "pooled": {name: one.to_json() for name, one in self.pooled.items()},
            "slopes": {name: one.to_json() for name, one in self.slopes.items()},
            "shift": self.shift.to_json(),
            "cells": [cell.to_json() for cell in self.cells],
            "left_out": self.left_out,
        }


@dataclasses.dataclass(frozen=True)
class Worth:
    """Every arm beside the baseline, by technique and strength. `unit` of the losses."""

    arms: tuple[Arm, ...]
    baseline: Baseline
    level: float
    resamples: int
    unit: str
    source: str
    notes: tuple[str, ...]

    def strengths(self) -> dict[str, tuple[Arm, ...]]:
        """Technique -> its arms by ascending strength."""
        names = dict.fromkeys(arm.technique for arm in self.arms)
        return {name: tuple(arm for arm in self.arms if arm.technique == name) for name in names}

    def best(self) -> dict[str, Arm]:
        """Technique -> the strength with the largest pooled m_N; where none has one, with the largest CEG, else the
        first. The largest of several is chosen by its luck too."""
        return {name: max(arms, key=_rank) for name, arms in self.strengths().items()}

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        noise = self.baseline.noise
        return {
            "law": self.baseline.fit.to_json(samples=False),
            "compute": self.baseline.compute.note,
            "noise": {name: getattr(noise, name) for name in ("seed", "dof", "misfit", "spare")},
            "baseline_cells": [dataclasses.asdict(cell) | {"log_losses_S": cell.log_losses_S.tolist()}
                               for cell in self.baseline.cells],
            "arms": [arm.to_json() for arm in self.arms],
            "best": {name: arm.strength for name, arm in self.best().items()},
            "level": self.level,
            "resamples": self.resamples,
            "unit": self.unit,
            "source": self.source,
            "notes": list(self.notes),
        }  # fmt: skip


def _rank(arm: Arm) -> tuple[float, float]:
    m_n, ceg = (arm.pooled[name].value for name in ("m_n", "ceg"))
    return -math.inf if math.isnan(m_n) else m_n, -math.inf if math.isnan(ceg) else ceg
