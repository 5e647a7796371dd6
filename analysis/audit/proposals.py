"""Cheap further runs: what to train to settle a finding, and what that costs beside what the table spent."""

import dataclasses
from collections.abc import Sequence
from typing import Any

LISTED = 4  # runs that a sentence spells out


@dataclasses.dataclass(frozen=True)
class Proposal:
    """`seeds` runs of N parameters on D tokens, C FLOPs each; `note` says what is special about them."""

    n_params: float
    tokens: float
    flops: float
    seeds: int = 1
    learning_rate: float | None = None
    note: str = ""

    @property
    def cost(self) -> float:
        """FLOPs of all seeds together."""
        return self.flops * self.seeds

    def words(self) -> str:
        """`N 3e+07, D 5.6e+09 (C 1e+18), lr 0.001, 3 seeds`."""
        parts = [f"N {self.n_params:.3g}", f"D {self.tokens:.3g} (C {self.flops:.3g})"]
        parts += [f"lr {self.learning_rate:.2g}"] if self.learning_rate else []
        parts += [f"{self.seeds} seeds"] if self.seeds > 1 else []
        return ", ".join([*parts, *filter(None, [self.note])])

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)


def cost_sentence(proposals: Sequence[Proposal], spent: float) -> str:
    """The runs, their cost in FLOPs and as a share of `spent`, in one sentence; empty without runs."""
    if not proposals:
        return ""
    count, cost = sum(item.seeds for item in proposals), sum(item.cost for item in proposals)
    listed = "; ".join(item.words() for item in proposals[:LISTED])
    more = f"; and {len(proposals) - LISTED} more in the JSON" if len(proposals) > LISTED else ""
    share = f", {_percent(cost / spent)} what the table spent" if spent > 0 else ""
    return f"{count} run{'s' * (count != 1)} ({listed}{more}) cost {cost:.2g} FLOPs{share}"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} % of" if share < 1 else f"{share:.1f} times"
