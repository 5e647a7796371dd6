"""What the runs of one group of a plan share: a compute budget or, with `sweep.steps` or `sweep.runs`, their steps."""

import dataclasses
from collections.abc import Mapping

from scaling_laws import config
from scaling_laws.compute import Counts
from scaling_laws.config import ExperimentConfig, SweepConfig
from scaling_laws.spec import STREAM_LENGTH
from scaling_laws.sweep.listed import Shape, by_steps
from scaling_laws.sweep.planned import TaskFacts
from scaling_laws.sweep.sizing import Extent, Sizing

BUDGET_TOLERANCE = 0.02  # a run whose whole steps miss its budget by more than this share of it is refused


@dataclasses.dataclass(frozen=True)
class Level:
    """`budget` in training FLOPs, None where `steps` say how long; `listed`: of a list the shapes, with seeds."""

    budget: float | None
    steps: int = 0
    listed: Mapping[Shape, tuple[int, ...]] | None = None

    def extent(self, sizing: Sizing, counts: Counts) -> Extent:
        """How much a shape trains."""
        return sizing.of_steps(self.steps) if self.budget is None else sizing.extent(counts, self.budget)

    def seeds(self, shape: Shape, sweep: SweepConfig) -> tuple[int, ...]:
        """Seeds of a (width, depth) here: those of a grid, or those of a list, which may be none."""
        return sweep.seeds if self.listed is None else self.listed.get(shape, ())

    def __str__(self) -> str:
        return f"{self.steps:,} steps" if self.budget is None else f"budget {self.budget:.3g}"


def levels(sweep: SweepConfig) -> list[Level]:
    """The groups of a sweep, ascending."""
    if sweep.runs:
        return [Level(None, steps, seeds) for steps, seeds in sorted(by_steps(sweep).items())]
    if sweep.steps:
        return [Level(None, steps) for steps in sorted(set(sweep.steps))]
    return [Level(budget) for budget in sorted(sweep.budgets)]


def reason(experiment: ExperimentConfig, counts: Counts, facts: TaskFacts, level: Level, extent: Extent) -> str:
    """Why a shape cannot run at a level, or an empty string."""
    sweep, steps, tokens = experiment.sweep, extent.steps, extent.tokens
    small = "budget too small: " if level.budget is not None else ""
    if steps < sweep.min_steps:
        return f"{small}{steps} steps, sweep.min_steps is {sweep.min_steps}"
    if facts.spec.source == "stream" and tokens > STREAM_LENGTH:
        large = "budget too large: " if level.budget is not None else ""
        return f"{large}{tokens} examples, a stream has {STREAM_LENGTH}"
    one_pass = facts.pass_tokens(experiment.train)
    if tokens > sweep.max_epochs * one_pass:
        epochs = tokens / one_pass
        return f"data too small: {epochs:.2f} epochs, sweep.max_epochs is {sweep.max_epochs:g}"
    warmup = experiment.optimizer.warmup_steps
    room = config.warmup_limit(config.replace(config.run_part(experiment), {"train.steps": steps}))
    if warmup > room:
        return f"{small}room for {room} steps of warm-up, optimizer.warmup_steps is {warmup}"
    miss = abs(counts.flops_per_token * tokens / level.budget - 1) if level.budget is not None else 0
    if miss > BUDGET_TOLERANCE:
        return f"whole steps miss the budget by {100 * miss:.1f} %; allowed: {100 * BUDGET_TOLERANCE:g} %"
    return ""
