"""One planned run: how budget, architecture, rate and seed make a RunConfig, and what it amounts to."""

import dataclasses
import functools
import math

from scaling_laws import compute, config
from scaling_laws.config import ExperimentConfig, RunConfig
from scaling_laws.sweep.pace import Pace


@dataclasses.dataclass(frozen=True)
class TaskFacts:
    """What a plan needs to know of a task; `heldout_tokens` and the like never enter it."""

    unique_tokens: int
    corpus_hash: str
    vocab_size: int


@dataclasses.dataclass(frozen=True)
class PlannedRun:
    """One run to do: `tokens` = steps x batch x context, `flops` the exact training FLOPs of those steps."""

    run: RunConfig
    run_id: str
    budget: float
    purpose: str
    counts: compute.Counts
    tokens: int
    flops: float
    epochs: float
    tokens_per_param: float
    expected_seconds: float  # of one core, without compiling

    @property
    def shape(self) -> tuple[int, int]:
        """(width, depth): runs of one shape share their compiled programs."""
        return self.run.model.width, self.run.model.depth

    @functools.cached_property
    def form(self) -> RunConfig:
        """`config.form` of the run: runs of one form can be advanced by one program."""
        return config.form(self.run)


def nearest_integer(value: float) -> int:
    """The nearest integer, halves up (Python's own `round` takes halves to the even side)."""
    return math.floor(value + 0.5)


def steps_for(experiment: RunConfig, counts: compute.Counts, budget: float) -> int:
    """Whole optimiser steps nearest to a budget of training FLOPs."""
    return nearest_integer(budget / (counts.flops_per_token * experiment.train.batch_size * experiment.task.context))


def rule_rate(experiment: ExperimentConfig, n_params: int, tokens: int) -> float:
    """Peak learning rate by `sweep.lr_*`, or `optimizer.learning_rate` where the coefficient is 0.

    Four significant digits: the last bits of a power differ between machines and must not change a run's identity.
    """
    sweep = experiment.sweep
    if sweep.lr_coefficient == 0:
        return experiment.optimizer.learning_rate
    return float(f"{sweep.lr_coefficient * n_params**sweep.lr_n_exponent * tokens**sweep.lr_d_exponent:.4g}")


def rate_allowed(rate: float) -> bool:
    """Whether a learning rate is positive and within the field's range."""
    (high,) = (f.metadata["high"] for _, f, _ in config.leaves(config.OptimizerConfig()) if f.name == "learning_rate")
    return 0 < rate <= high


def planned_run(
    base: RunConfig,
    counts: compute.Counts,
    facts: TaskFacts,
    pace: Pace,
    budget: float,
    purpose: str,
    learning_rate: float,
    seed: int,
) -> PlannedRun:
    """One run at a budget: a seed sets both the initialisation and the order of the data."""
    steps = steps_for(base, counts, budget)
    changes = {"train.steps": steps, "train.seed": seed, "train.data_seed": seed}
    run = config.replace(base, changes | {"optimizer.learning_rate": learning_rate})
    return as_planned(run, counts, facts, pace, budget, purpose)


def as_planned(
    run: RunConfig, counts: compute.Counts, facts: TaskFacts, pace: Pace, budget: float | None, purpose: str
) -> PlannedRun:
    """A run whose every setting is decided; without a `budget`, its own FLOPs are one."""
    tokens = run.train.steps * run.train.batch_size * run.task.context
    flops = float(counts.flops_per_token * tokens)
    return PlannedRun(
        run=run,
        run_id=config.identity(run, facts.corpus_hash),
        budget=flops if budget is None else budget,
        purpose=purpose,
        counts=counts,
        tokens=tokens,
        flops=flops,
        epochs=tokens / facts.unique_tokens,
        tokens_per_param=tokens / counts.n_params,
        expected_seconds=pace.seconds(run, counts, tokens),
    )
