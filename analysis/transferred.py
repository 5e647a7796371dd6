"""Effective data transferred: what a source was worth, in tokens of the data that a run was fine-tuned on.

Hernandez et al. 2021 ("Scaling laws for transfer", section 1.1): a run from scratch needs D_E tokens for the loss that
one with a source has after D_F; the source stood for D_T = D_E - D_F of them.
"""

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

import numpy as np

SCRATCH, FREE = "from scratch", "all learn"
Row = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Arm:
    """Runs of one size and one way of training at the best of their rates: mean loss over seeds, with its standard
    error (nan for one seed). `edge`: the best rate is the smallest or the largest of several that were tried."""

    arm: str
    width: int
    depth: int
    n_params: int
    frozen_params: int
    tokens: int
    unique_tokens: int
    learning_rate: float
    edge: bool
    loss: float
    loss_se: float
    seeds: int
    run_ids: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Transferred:
    """An arm with a source beside runs from scratch. Tokens are nan where the curve from scratch does not reach its
    loss; `scratch_loss` at as many tokens, nan where no run from scratch has as many."""

    arm: Arm
    scratch_loss: float
    equivalent_tokens: float
    transferred_tokens: float

    def to_row(self) -> dict[str, Any]:
        """Columns by their names in the runs table; what is nan is left empty."""
        facts = vars(self) | vars(self.arm) | {"finetune_tokens": self.arm.unique_tokens}
        return {name: "" if isinstance(facts[name], float) and math.isnan(facts[name]) else facts[name] for name in ROW}


ROW = ("arm", "width", "depth", "n_params", "frozen_params", "finetune_tokens", "learning_rate", "edge", "seeds",
       "loss", "loss_se", "scratch_loss", "equivalent_tokens", "transferred_tokens")  # fmt: skip


def arms(rows: Iterable[Row]) -> list[Arm]:
    """Every size, way of training and number of tokens, at its best rate, in this order; a rate counts where all seeds
    of it have finished. `rows` of the runs table."""
    cells: dict[tuple[Any, ...], dict[float, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        key = (row["source_run"] is not None, row["frozen_params"] or 0, row["width"], row["depth"], row["tokens"])
        cells[key][row["learning_rate"]].append(row)
    return [arm for _, by_rate in sorted(cells.items()) if (arm := _best(by_rate))]


def _best(by_rate: Mapping[float, Sequence[Row]]) -> Arm | None:
    losses = {
        rate: [row["loss"] for row in rows]
        for rate, rows in sorted(by_rate.items())
        if all(row["status"] == "finished" for row in rows)
    }
    if not losses:
        return None
    rate = min(losses, key=lambda each: fmean(losses[each]))
    found, first = losses[rate], by_rate[rate][0]
    return Arm(
        arm=_name(first),
        **{name: first[name] for name in ("width", "depth", "n_params", "tokens", "unique_tokens")},
        frozen_params=first["frozen_params"] or 0,
        learning_rate=rate,
        edge=len(by_rate) > 1 and rate in (min(by_rate), max(by_rate)),
        loss=fmean(found),
        loss_se=stdev(found) / math.sqrt(len(found)) if len(found) > 1 else math.nan,
        seeds=len(found),
        run_ids=tuple(row["run_id"] for row in by_rate[rate]),
    )


def _name(row: Row) -> str:
    if row["source_run"] is None:
        return SCRATCH
    share = row["frozen_params"] / row["n_params"]
    return f"{share:.0%} rest" if share else FREE


def transferred(found: Sequence[Arm]) -> list[Transferred]:
    """What the source was worth in each arm that has one, by the arms from scratch of the same size."""
    return [_transferred(arm, found) for arm in found if arm.arm != SCRATCH]


def _transferred(arm: Arm, found: Sequence[Arm]) -> Transferred:
    shape = (arm.width, arm.depth)
    curve = [each for each in found if each.arm == SCRATCH and (each.width, each.depth) == shape]
    beside = next((each.loss for each in curve if each.tokens == arm.tokens), math.nan)
    needed = equivalent(arm.loss, [each.unique_tokens for each in curve], [each.loss for each in curve])
    return Transferred(arm, beside, needed, needed - arm.unique_tokens)


def equivalent(loss: float, tokens: Sequence[float], losses: Sequence[float]) -> float:
    """Tokens at which runs from scratch have this loss: between two of them ln D is linear in ln loss, as a power law
    is. nan outside of what was measured. Where the curve is not monotone, its running minimum counts."""
    order = np.argsort(tokens)
    x, y = np.log(np.asarray(tokens, float)[order]), np.log(np.minimum.accumulate(np.asarray(losses, float)[order]))
    if not len(x) or not y[-1] <= math.log(loss) <= y[0]:
        return math.nan
    return float(math.exp(np.interp(math.log(loss), y[::-1], x[::-1])))
