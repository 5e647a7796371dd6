"""One planned run: how architecture, batch, steps, rate and seed make a RunConfig, and what it amounts to."""

import dataclasses
import functools
import math
from typing import Any

from scaling_laws import compute, config
from scaling_laws.config import RunConfig, TrainConfig
from scaling_laws.describe import describe
from scaling_laws.spec import Spec
from scaling_laws.sweep.pace import Pace
from scaling_laws.tasks.task import Task

Arm = tuple[str, float]  # technique and strength


@dataclasses.dataclass(frozen=True)
class TaskFacts:
    """What a plan needs to know of a task; `heldout_tokens` and the like never enter it."""

    unique_tokens: int
    corpus_hash: str
    spec: Spec
    data_bytes: int = 0  # of the arrays to train on

    @classmethod
    def of(cls, task: Task) -> "TaskFacts":
        """Those of a task."""
        return cls(
            unique_tokens=task.unique_tokens,
            corpus_hash=task.content_hash,
            spec=task.spec,
            data_bytes=sum(array.nbytes for array in task.train.values()),
        )

    def pass_tokens(self, train: TrainConfig) -> int:
        """Targets of one pass over what a run reads of the train split."""
        return config.pass_tokens(train, self.unique_tokens, self.spec.targets)

    def described(self, run: RunConfig, counts: compute.Counts, run_id: str) -> dict[str, Any]:
        """The columns of a run on the task that are known before it starts (`describe`)."""
        return describe(
            run,
            counts,
            run_id=run_id,
            spec=self.spec,
            unique_tokens=self.unique_tokens,
            corpus_hash=self.corpus_hash,
        )


@dataclasses.dataclass(frozen=True)
class PlannedRun:
    """One run to do: `tokens` = steps x batch x targets an example, `flops` the exact training FLOPs of those steps."""

    run: RunConfig
    run_id: str
    budget: float | None
    purpose: str
    lr_source: str
    counts: compute.Counts
    tokens: int
    flops: float
    epochs: float
    tokens_per_param: float
    expected_seconds: float  # of one core, without compiling
    trunk: str  # what its sibling branches share (`config.trunk_identity`), or nothing
    begins_at: int = 0  # the step that a shorter branch hands over at; 0: from the beginning
    arm: Arm | None = None  # what its row says that it studies, where its settings do not say it

    @property
    def shape(self) -> tuple[int, int]:
        """(width, depth)."""
        return self.run.model.width, self.run.model.depth

    @property
    def program(self) -> tuple[int, int, int]:
        """(width, depth, batch): runs of a sweep that agree in these share their compiled programs."""
        return *self.shape, self.run.train.batch_size

    @functools.cached_property
    def form(self) -> RunConfig:
        """`config.form` of the run: runs of one form can be advanced by one program."""
        return config.form(self.run)

    @property
    def own_flops(self) -> float:
        """FLOPs of the steps that it trains itself."""
        return self.flops * (1 - self.begins_at / self.run.train.steps)


def nearest_integer(value: float) -> int:
    """The nearest integer, halves up (Python's own `round` takes halves to the even side)."""
    return math.floor(value + 0.5)


def whole_steps(budget: float, counts: compute.Counts, step_tokens: int) -> int:
    """Whole optimiser steps of so many tokens nearest to a budget of training FLOPs."""
    return nearest_integer(budget / (counts.flops_per_token * step_tokens))


def rate_allowed(rate: float) -> bool:
    """Whether a learning rate is positive and within the field's range."""
    (high,) = (f.metadata["high"] for _, f, _ in config.leaves(config.OptimizerConfig()) if f.name == "learning_rate")
    return 0 < rate <= high


def planned_run(
    base: RunConfig,
    counts: compute.Counts,
    facts: TaskFacts,
    pace: Pace,
    budget: float | None,
    purpose: str,
    learning_rate: float,
    seed: int,
    lr_source: str,
) -> PlannedRun:
    """One run with the batch and steps of `base`: a seed sets both the initialisation and the order of the data."""
    changes = {"train.seed": seed, "train.data_seed": seed, "optimizer.learning_rate": learning_rate}
    return as_planned(config.replace(base, changes), counts, facts, pace, budget, purpose, lr_source)


def as_planned(
    run: RunConfig,
    counts: compute.Counts,
    facts: TaskFacts,
    pace: Pace,
    budget: float | None,
    purpose: str,
    lr_source: str,
) -> PlannedRun:
    """A run whose every setting is decided."""
    tokens = run.train.steps * run.train.batch_size * facts.spec.targets
    flops = float(counts.flops_per_token * tokens)
    return PlannedRun(
        run=run,
        run_id=config.identity(run, facts.corpus_hash),
        budget=budget,
        purpose=purpose,
        lr_source=lr_source,
        counts=counts,
        tokens=tokens,
        flops=flops,
        epochs=tokens / facts.pass_tokens(run.train),
        tokens_per_param=tokens / counts.n_params,
        expected_seconds=pace.seconds(run, counts, tokens),
        trunk=config.trunk_identity(run, facts.corpus_hash),
    )
