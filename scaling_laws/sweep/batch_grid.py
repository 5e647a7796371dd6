"""Runs of one shape over batch sizes and learning rates, for the critical batch. Pure and free of JAX."""

from collections.abc import Iterable, Sequence

from scaling_laws import config, families
from scaling_laws.config import OWN_SETTING, ConfigError, ExperimentConfig, RunConfig
from scaling_laws.sweep.pace import Pace
from scaling_laws.sweep.planned import PlannedRun, TaskFacts, nearest_integer, planned_run, rate_allowed
from scaling_laws.sweep.rates import FACTOR
from scaling_laws.tasks import samples
from scaling_laws.validation import check_stream, validate_run

EXPONENTS = {"adam": 0.5, "adamw": 0.5, "sgd": 1.0}  # of the best rate in the batch, where that is small
LEAST = 3  # batches that fix a hyperbola


def check(experiment: ExperimentConfig, batch_sizes: Sequence[int], facts: TaskFacts) -> None:
    """Raises ConfigError for settings that no such run can have, and for too few batch sizes."""
    validate_run(config.run_part(experiment))
    if len(set(batch_sizes)) < LEAST:
        raise ConfigError(f"batch_sizes: {len(set(batch_sizes))} different; allowed: {LEAST} or more")
    if experiment.optimizer.schedule != "constant":
        raise ConfigError(
            f"optimizer.schedule: {experiment.optimizer.schedule}; allowed: constant, so that every point of a curve "
            "counts as a run that ends there"
        )
    if not experiment.sweep.seeds:
        raise ConfigError("sweep.seeds: empty; allowed: at least one value")
    for batch in batch_sizes:
        run = _run(experiment, batch)
        validate_run(run)
        check_stream(run, facts.spec)
        samples.check(run, facts.spec, facts.unique_tokens)
        tokens, one_pass = run.train.steps * batch * facts.spec.targets, facts.pass_tokens(run.train)
        if tokens > experiment.sweep.max_epochs * one_pass:
            epochs = f"{tokens / one_pass:.2f} epochs"
            raise ConfigError(f"batch_sizes: {batch} reads {epochs}; allowed: at most sweep.max_epochs")


def _run(experiment: ExperimentConfig, batch_size: int) -> RunConfig:
    """The run of a batch size: as long as the hyperbola says where `train` holds S_min and B_crit as guessed.

    steps = train.steps (1 + train.batch_size / B), so that all sizes get about as far.
    """
    train = experiment.train
    steps = nearest_integer(train.steps * (1 + train.batch_size / batch_size))
    return config.replace(config.run_part(experiment), {"train.batch_size": batch_size, "train.steps": steps})


def rates(experiment: ExperimentConfig, batch_size: int) -> tuple[float, ...]:
    """Half, once and twice the rate expected: `optimizer.learning_rate` at `train.batch_size`, and by EXPONENTS.

    Adam's grows as the root of the batch, SGD's as the batch (McCandlish et al. 2018, section 2.2 and appendix E.2).
    """
    exponent = EXPONENTS[experiment.optimizer.name]
    middle = experiment.optimizer.learning_rate * (batch_size / experiment.train.batch_size) ** exponent
    return tuple(float(f"{middle * factor:.4g}") for factor in (1 / FACTOR, 1.0, FACTOR))


def runs(
    experiment: ExperimentConfig, facts: TaskFacts, wanted: Iterable[tuple[int, float]], pace: Pace | None = None
) -> tuple[PlannedRun, ...]:
    """A run a seed for each (batch size, learning rate); rates that no run may have are left out."""
    counts = families.count_run(experiment, facts.spec)
    pace, source = pace or Pace(), f"{OWN_SETTING} x batch^{EXPONENTS[experiment.optimizer.name]:g}, grid"
    return tuple(
        planned_run(_run(experiment, batch), counts, facts, pace, None, "batch", rate, seed, source)
        for batch, rate in wanted
        if rate_allowed(rate)
        for seed in experiment.sweep.seeds
    )
