"""How long a run will take: a rate in FLOP/s of one core, measured where rows exist."""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

from scaling_laws import compute
from scaling_laws.config import RunConfig

READS = ["status", "n_params", "flops", "step_seconds", "steps", "own_steps"]  # columns of the runs table
DEFAULT_RATE = 2e10  # FLOP/s of one CPU core on the small shapes of a first sweep


@dataclasses.dataclass(frozen=True)
class Pace:
    """Training FLOP/s by model size: `measured` maps n_params to the rate seen there, the nearest in ln N counts."""

    default: float = DEFAULT_RATE
    measured: Mapping[int, float] = dataclasses.field(default_factory=dict)

    def rate(self, n_params: int) -> float:
        """FLOP/s expected of a model with `n_params` parameters."""
        if not self.measured:
            return self.default
        return self.measured[min(self.measured, key=lambda n: (abs(math.log(n / n_params)), n))]

    def seconds(self, run: RunConfig, counts: compute.Counts, tokens: int) -> float:
        """Seconds of one worker for the training and the evaluations of a run, compiling left out."""
        train = run.train
        evaluated = train.eval_tokens + train.curve_points * train.curve_eval_tokens
        return (counts.flops_per_token * tokens + counts.forward * evaluated) / self.rate(counts.n_params)


def measured_pace(rows: Iterable[Mapping[str, Any]]) -> Pace:
    """The pace seen in the finished rows of a runs table; the default where there are none."""
    flops: dict[int, float] = {}
    seconds: dict[int, float] = {}
    for row in rows:
        seen = [row.get(name) or 0 for name in ("n_params", "flops", "step_seconds")]
        if row.get("status") == "finished" and all(0 < value < math.inf for value in seen):
            size = row["n_params"]
            own = 1.0 if row.get("own_steps") is None else row["own_steps"] / row["steps"]
            flops[size] = flops.get(size, 0.0) + row["flops"] * own
            seconds[size] = seconds.get(size, 0.0) + row["step_seconds"]
    return Pace(measured={size: flops[size] / seconds[size] for size in flops})
