"""How fast a forward pass answers."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np


@dataclasses.dataclass(frozen=True)
class Speed:
    """Targets (tokens of a text, else examples) a second in batches of `batch`, the median over rounds; and the
    seconds that one example alone takes, the median and the 99th percentile over calls."""

    batch: int
    targets_per_second: float
    latency_median: float
    latency_99: float


def measured(
    forwards: dict[str, Callable[[Any], Any]], inputs: np.ndarray, targets: int, calls: int
) -> dict[str, Speed]:
    """Each of the forward passes on `inputs` (B, ...) with `targets` an example; they take turns, so that all meet the
    same clock rate and neighbours. `calls` of a single example each, and a tenth as many of the batch."""
    one, placed = jax.device_put(inputs[:1]), jax.device_put(inputs)
    for forward in forwards.values():
        jax.block_until_ready((forward(one), forward(placed)))
    alone: dict[str, list[float]] = {name: [] for name in forwards}
    together: dict[str, list[float]] = {name: [] for name in forwards}
    for call in range(calls):
        for name, forward in forwards.items():
            alone[name].append(_seconds(forward, one))
            if call % 10 == 0:
                together[name].append(_seconds(forward, placed))
    return {
        name: Speed(
            len(inputs),
            len(inputs) * targets / float(np.median(together[name])),
            *(float(np.percentile(alone[name], share)) for share in (50, 99)),
        )
        for name in forwards
    }


def _seconds(forward: Callable[[Any], Any], inputs: Any) -> float:
    began = time.perf_counter()
    jax.block_until_ready(forward(inputs))
    return time.perf_counter() - began
