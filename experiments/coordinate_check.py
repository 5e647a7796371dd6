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

from experiments import cli
from scaling_laws.config import ConfigError, RunConfig, replace, run_part, validate_run
from scaling_laws.progress import Progress

AXES = ("width", "depth")
GROWTH = (1, 2, 4, 8)
FILE = "coordinates.csv"

_AXES = flags.DEFINE_list("axes", list(AXES), "which sizes vary: width, depth")
_WIDTHS = flags.DEFINE_list("widths", [], "widths compared; none: 1, 2, 4 and 8 times the base width")
_DEPTHS = flags.DEFINE_list("depths", [], "depths compared; none: 1, 2, 4 and 8 times the base depth")
_STEPS = flags.DEFINE_integer("steps", 10, "optimiser steps", lower_bound=1, upper_bound=10_000)
_SEEDS = flags.DEFINE_list("seeds", ["0", "1", "2"], "seeds averaged over")
_BESIDE = flags.DEFINE_list("beside", [], "parametrisations drawn beside the configuration's own, such as standard")


def run() -> int:
    """Measure, draw, and judge."""
    config, workdir = run_part(cli.config()), cli.workdir()
    for axis in _AXES.value:
        if axis not in AXES:
            raise ConfigError(f"--axes: {axis!r}; allowed: {', '.join(AXES)}")
    names = [config.train.parametrization, *_BESIDE.value]
    grids = [
        (name, axis, grid(replace(config, {"train.parametrization": name}), axis))
        for name in names
        for axis in _AXES.value
    ]
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
    model, train = config.model, config.train
    base = {name: getattr(train, f"base_{name}") or getattr(model, name) for name in AXES}
    given = {"width": _WIDTHS.value, "depth": _DEPTHS.value}[axis]
    sizes = whole_numbers(f"--{axis}s", given) if given else [base[axis] * factor for factor in GROWTH]
    other = {f"model.{name}": getattr(model, name) or base[name] for name in AXES if name != axis}
    seeds = whole_numbers("--seeds", _SEEDS.value)
    runs = [
        replace(config, other | {f"model.{axis}": size, "train.seed": seed, "train.data_seed": seed})
        for size in sizes
        for seed in seeds
    ]
    for each in runs:
        validate_run(each)
    return runs


def whole_numbers(flag: str, values: Sequence[str]) -> list[int]:
    """Whole numbers, each once, ascending. Raises ConfigError for anything else."""
    try:
        return sorted({int(value) for value in values})
    except ValueError:
        raise ConfigError(f"{flag}: {','.join(values)!r}; allowed: whole numbers separated by commas") from None


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
