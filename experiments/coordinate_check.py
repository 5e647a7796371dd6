"""Does the change of every layer's activations keep its size over width and over depth?

    python -m experiments.coordinate_check --config=experiments/configs/transfer.py --workdir=runs/coordinates

Trains a few steps at each size, at the peak rate of `optimizer.learning_rate` from the first step on, looks at every
layer after each, and draws the change since step 0 (Yang et al. 2022, section D.1). Products in the workdir, for each
parametrisation and axis: coordinates_NAME_AXIS.png, .svg and .csv, and coordinates.csv with every measured number. Exit
code 0 when the slope of ln(change) over ln(size) is below .1 everywhere for the configuration's own parametrisation, 1
when it is not, 2 for bad input.
"""

from collections.abc import Sequence
from typing import Any

from absl import flags

from experiments import cli, sizes
from scaling_laws.config import ConfigError, RunConfig, replace, run_part
from scaling_laws.progress import Progress
from scaling_laws.validation import validate_run

GROWTH = (2, 4, 8, 16)  # times the base: its own two or so blocks are too coarse a sum to compare with deep ones
FILE = "coordinates.csv"

_STEPS = flags.DEFINE_integer("steps", 10, "optimiser steps", lower_bound=1, upper_bound=10_000)
_SEEDS = flags.DEFINE_list("seeds", ["0", "1", "2"], "seeds averaged over")


def run() -> int:
    """Measure, draw, and judge."""
    config, workdir = run_part(cli.config()), cli.workdir()
    names, axes = sizes.parametrizations(config), sizes.axes()
    arms = [(name, axis, replace(config, {"train.parametrization": name})) for name in names for axis in axes]
    grids = [(name, axis, grid(arm, axis)) for name, axis, arm in arms]
    measured = measure(config, grids)

    from analysis import coordinates
    from analysis.figures import static, style

    found = [coordinates.check(rows, axis) for (_, axis, _), rows in zip(grids, measured, strict=True)]
    for each in found:
        print("\n".join(each.lines()), flush=True)
        static.save(coordinates.drawing(each), workdir)
    rows = [row for part in measured for row in part]
    style.write_atomically(workdir / FILE, style.csv_bytes(rows, coordinates.COLUMNS))
    own = [each.passed for each in found if each.parametrization == names[0]]
    return 0 if all(own) else 1


def grid(config: RunConfig, axis: str) -> list[RunConfig]:
    """The runs of one parametrisation over `axis`, sizes ascending. Raises ConfigError for bad sizes or settings."""
    if config.transfer.source:
        raise ConfigError(f"transfer.source: {config.transfer.source}; allowed: none where first steps are looked at")
    shapes = sizes.shapes(config, axis, GROWTH)
    if len(shapes) < 2:
        raise ConfigError(f"--{axis}s: {getattr(shapes[0].model, axis)} alone; allowed: two sizes or more")
    runs = [
        replace(shape, {"train.seed": seed, "train.data_seed": seed})
        for shape in shapes
        for seed in cli.whole_numbers("--seeds", _SEEDS.value)
    ]
    for each in runs:
        validate_run(each)
    return runs


def measure(config: RunConfig, grids: Sequence[tuple[str, str, list[RunConfig]]]) -> list[list[dict[str, Any]]]:
    """The rows of each grid (`analysis.coordinates.COLUMNS`)."""
    from scaling_laws.sweep import machine
    from scaling_laws.tasks import catalog
    from scaling_laws.train import coordinates
    from scaling_laws.train.programs import keep_compiled

    keep_compiled(machine.compile_cache_folder())
    task = catalog.load(config.task, machine.task_cache_folder())
    found, done = [], 0
    with Progress(sum(len(runs) for _, _, runs in grids), "runs") as progress:
        for name, axis, runs in grids:
            rows = []
            for each in runs:
                facts = {"parametrization": name, "optimizer": each.optimizer.name, "axis": axis}
                facts |= {"size": getattr(each.model, axis), "seed": each.train.seed}
                rows += [facts | row for row in coordinates.record(each, task, _STEPS.value)]
                done += 1
                progress.update(done)
            found.append(rows)
    return found


if __name__ == "__main__":
    cli.main(run)
