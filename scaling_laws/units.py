"""The unit of a loss and of D, and how a loss is written: one place for what is printed, drawn and tabled. No JAX."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

SMALLEST_FIXED, LARGEST_FIXED = 0.01, 1e4  # losses between them are written with four decimals
# column -> how a score beside the loss is written
SCORES = {"bits_per_byte": "{:.4f} bits/byte", "accuracy": "accuracy {:.4f}", "r2": "r2 {:.4f}"}


@dataclasses.dataclass(frozen=True)
class Units:
    """The unit of the `loss`, and what D counts: `data`. Without arguments those of next-token text."""

    loss: str = "nats/token"
    data: str = "tokens"


TEXT = Units()


def units_of(loss_kind: str | None = None, targets: float | None = None) -> Units:
    """The units of a task by its `Spec.loss` and `Spec.targets`, the columns loss_kind and context of the runs table.

    Text where neither is known (None, NaN or 0): a stranger's table has neither column.
    """
    if loss_kind == "squared_error":
        return Units("squared error", "examples")
    return Units("nats/example", "examples") if targets == 1 else TEXT


def of_row(row: Mapping[str, Any]) -> Units:
    """The units of a row of the runs table."""
    return units_of(row.get("loss_kind"), row.get("context"))


def loss_text(value: float, like: float | None = None) -> str:
    """A loss as it is written: 1.6271 with four decimals from .01 up, 2.718e-05 with four digits below.

    `like`: the loss whose form a difference or an error beside it takes, so that 1.6271 stands beside 0.0021.
    """
    size = abs(value if like is None else like)
    fixed = SMALLEST_FIXED <= size < LARGEST_FIXED or not math.isfinite(size)
    return f"{value:.4f}" if fixed else f"{value:#.4g}"


def reached(row: Mapping[str, Any]) -> str:
    """What a finished run came to: `loss 2.5000 ± 0.0100 nats/token, 3.6067 bits/byte`, or accuracy or r2."""
    error = f" ± {loss_text(row['loss_se'], row['loss'])}" if row.get("loss_se") is not None else ""
    scores = [form.format(row[name]) for name, form in SCORES.items() if row.get(name) is not None]
    return ", ".join([f"loss {loss_text(row['loss'])}{error} {of_row(row).loss}", *scores])
