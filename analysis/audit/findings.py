"""What an audit says: estimates, how far a mistake moves them, the findings, and what was passed or not checked."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from analysis.audit.proposals import Proposal, cost_sentence
from analysis.load import Runs
from scaling_laws.units import loss_text

Mend = Callable[[Runs], Runs]


@dataclasses.dataclass(frozen=True)
class Estimate:
    """The exponent a of N* ~ C^a and the lowest loss at `flops`; NaN and None where unknown."""

    method: str
    a: float
    a_interval: tuple[float, float] | None
    loss: float
    loss_interval: tuple[float, float] | None
    flops: float
    runs: int

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Effect:
    """The estimate with the mistake in it and the one without; `mended` says what was done in between."""

    before: Estimate
    after: Estimate
    mended: str

    @property
    def a_shift(self) -> float:
        """How far a moves when the mistake is mended."""
        return self.after.a - self.before.a

    @property
    def loss_shift(self) -> float:
        """How far ln of the forecast moves; 0 where there is no forecast at one and the same C."""
        if self.before.flops != self.after.flops or not math.isfinite(self.after.loss / self.before.loss):
            return 0.0
        return math.log(self.after.loss / self.before.loss)

    def sentence(self, unit: str) -> str:
        """`moves a from .. to .., the forecast at .. FLOPs from .. to ..`; `unit` of the losses."""
        a = f"{_bracketed(self.before.a, self.before.a_interval)} to {_bracketed(self.after.a, self.after.a_interval)}"
        text = f"{self.mended}: moves a from {a}"
        if self.loss_shift or self.before.loss == self.after.loss:
            at = f"{self.before.flops:.3g} FLOPs"
            text += f", the forecast at {at} from {loss_text(self.before.loss)} to {loss_text(self.after.loss)} {unit}"
        return text if self.after.method in self.mended else f"{text} ({self.after.method})"

    def to_json(self) -> dict[str, Any]:
        """Plain values with the two shifts."""
        shifts = {"a_shift": self.a_shift, "log_loss_shift": self.loss_shift}
        return {"before": self.before.to_json(), "after": self.after.to_json(), "mended": self.mended} | shifts


@dataclasses.dataclass(frozen=True)
class Found:
    """What a check saw, before its weight is known.

    rows: numbers (k,) in the source of the rows it speaks of. floor: the least score, for what a refit cannot show.
    mend: the table without the mistake, None where the table does not hold it; `mended`: what that does, in words.
    unmended: why there is no mend. effect: the effect where it is no refit of a mended table. symptom: follows from
    other mistakes, and never ranks above them. picture: the figure that shows it, one of figures.PICTURES.
    """

    evidence: str
    floor: float
    rows: np.ndarray
    mend: Mend | None = None
    mended: str = ""
    unmended: str = ""
    effect: Effect | None = None
    symptom: bool = False
    proposals: tuple[Proposal, ...] = ()
    advice: str = ""
    picture: str = ""


@dataclasses.dataclass(frozen=True)
class Passed:
    """A check that was made and found nothing, with what it saw."""

    text: str


@dataclasses.dataclass(frozen=True)
class NotChecked:
    """A check that this table does not allow, with what it would take."""

    text: str


@dataclasses.dataclass(frozen=True)
class Finding:
    """One mistake: its weight, the evidence, what it moves, and what would settle it."""

    check: str
    title: str
    level: str  # severe, serious, moderate or minor
    score: float  # 1 = .05 of a, or 1 % of the forecast loss
    evidence: str
    rows: np.ndarray = dataclasses.field(repr=False)
    effect: Effect | None
    unmended: str  # why there is no effect; empty where there is one
    symptom: bool
    proposals: tuple[Proposal, ...]
    advice: str
    spent: float  # FLOPs of the whole table
    unit: str  # of the losses
    picture: str = ""

    def moves(self) -> str:
        """What mending it moves, or why that cannot be told."""
        return self.effect.sentence(self.unit) if self.effect else f"cannot be refitted: {self.unmended}"

    def settle(self) -> str:
        """What would settle it: further runs with their cost, or what to do without any."""
        return "; ".join(filter(None, [cost_sentence(self.proposals, self.spent), self.advice]))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        keys = ("check", "title", "level", "score", "evidence", "unmended", "symptom", "advice")
        found = {key: getattr(self, key) for key in keys} | {"moves": self.moves(), "settle": self.settle()}
        effect = self.effect.to_json() if self.effect else None
        return found | {
            "rows": self.rows.tolist(),
            "effect": effect,
            "further_runs": [proposal.to_json() for proposal in self.proposals],
        }


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A check that found nothing (`passed`), or one that could not be made (`not_checked`)."""

    check: str
    title: str
    text: str

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)


def _bracketed(value: float, interval: tuple[float, float] | None) -> str:
    if interval is None or not np.isfinite(interval).all():
        return f"{value:.3f}"
    return f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"
