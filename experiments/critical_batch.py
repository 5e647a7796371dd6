"""The critical batch of one shape: runs over batch sizes and learning rates, and the gradient noise scale on the way.

    python -m experiments.critical_batch --config=experiments/configs/critical_batch.py --workdir=runs/batch

`train.steps` and `train.batch_size` are the least steps and the critical batch as guessed: batches of B train
steps x (1 + batch_size / B). `optimizer.learning_rate` belongs to that batch; others start at a rate that grows with
its root (Adam) or with itself (SGD), with half and twice of it, and go on where the best lies at an edge, at most
`sweep.lr_max_extensions` times. Leaves critical_batch.json, noise_scale.jsonl and figures in the workdir. Stop it at
any time: the same command goes on. Exit code 0 when done, 1 when a run failed, 130 after Ctrl-C, 75 after SIGTERM, 2
for bad input.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from absl import flags

from experiments import batches, cli, resamples
from scaling_laws import command
from scaling_laws.config import ConfigError
from scaling_laws.interrupts import Asked

if TYPE_CHECKING:
    from scaling_laws.sweep.planned import PlannedRun

_BATCHES = flags.DEFINE_string("batch_sizes", "4,8,16,32,64", "windows a step, three sizes or more")
_TARGETS = flags.DEFINE_string("targets", "", "losses to reach; empty: four that all batches reach")
_POINTS = flags.DEFINE_integer("noise_points", 8, "points of a run with a noise scale; 0: none", lower_bound=0)
_WINDOWS = flags.DEFINE_integer("noise_windows", 64, "windows of a batch of the noise scale", lower_bound=2)
_DRAWS = flags.DEFINE_integer("noise_batches", 16, "batches of the noise scale at a point", lower_bound=2)
_GROUP = flags.DEFINE_integer("noise_group", 1, "windows whose gradient is taken at once", lower_bound=1)
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "print the planned runs and train nothing")


def run() -> int:
    """Train, fit, measure the noise scale, draw."""
    from scaling_laws.sweep import batch_grid, study
    from scaling_laws.train.drawing import Drawing

    config, sizes, targets = cli.config(), _numbers("batch_sizes", _BATCHES.value, int), _targets()
    if _WINDOWS.value % _GROUP.value or _WINDOWS.value < 2 * _GROUP.value:
        raise ConfigError(f"noise_group: {_GROUP.value}; allowed: a divisor of noise_windows that leaves two groups")
    facts = study.facts_of(config)
    grid = batches.grid(config, sizes, facts)
    if _DRY_RUN.value:
        print("\n".join(_planned(batch_grid.runs(config, facts, grid))))
        return 0
    workdir = cli.workdir()
    trained = batches.train(config, facts, grid, targets, workdir)
    if trained.interrupted:
        return command.stopped(trained.terminated)
    found = batches.fit(workdir, config, facts, grid, targets, resamples.count())
    drawing = Drawing(_WINDOWS.value, _DRAWS.value, _GROUP.value, _POINTS.value)
    noise = batches.measure(config, facts, found, drawing, workdir)
    if isinstance(noise, Asked):
        return command.stopped(noise.terminated)
    batches.write(found, noise, facts.spec, workdir)
    return 1 if trained.count("failed") else 0


def _numbers(flag: str, text: str, kind: type) -> list[Any]:
    """Numbers separated by commas, positive and each once. Raises ConfigError."""
    try:
        values = [kind(word) for word in text.split(",") if word.strip()]
    except ValueError:
        values = []
    if not values or not all(0 < value < 1e9 for value in values) or len(set(values)) < len(values):
        word = "whole numbers" if kind is int else "numbers"
        raise ConfigError(f"{flag}: {text!r}; allowed: positive {word} separated by commas, each once")
    return values


def _targets() -> list[float]:
    return _numbers("targets", _TARGETS.value, float) if _TARGETS.value else []


def _planned(runs: Sequence["PlannedRun"]) -> list[str]:
    from scaling_laws.progress import duration
    from scaling_laws.sweep import show

    head = ("batch", "lr", "steps", "D", "C", "epochs", "seed", "seconds")
    cells = [
        (
            f"{one.run.train.batch_size}",
            f"{one.run.optimizer.learning_rate:.3g}",
            f"{one.run.train.steps:,}",
            f"{one.tokens:,}",
            f"{one.flops:.4g}",
            f"{one.epochs:.2f}",
            f"{one.run.train.seed}",
            f"{one.expected_seconds:.0f}",
        )
        for one in runs
    ]
    seconds = duration(sum(one.expected_seconds for one in runs))
    return [*show.align([head, *cells]), f"{show.plural(len(runs), 'run')}, about {seconds} of one worker"]


if __name__ == "__main__":
    cli.main(run)
