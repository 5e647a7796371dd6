"""Where is the best learning rate, and does it stay there over width and depth?

    python -m experiments.lr_sweep --config=experiments/configs/transfer.py --workdir=runs/rates [--beside=standard]

At each size the rate of `optimizer.learning_rate` and its neighbours, factors of two apart, for every seed of
`sweep.seeds`, all for the same tokens; where the least mean loss lies at the edge the grid is extended. Prints the
minimum of each size with its interval, its shift in octaves and the sensitivity to the rate (Wortsman et al. 2023), and
leaves lr_sweep.json and figures in the workdir. `python -m analysis.rule` makes a rule of the table for
`--config.sweep.rule`. Stop it at any time: the same command goes on. Exit code 0 when done, 1 when a run failed, 130
after Ctrl-C, 75 after SIGTERM, 2 for bad input.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from experiments import cli, rates, sizes
from scaling_laws import command
from scaling_laws.config import ExperimentConfig, RunConfig

if TYPE_CHECKING:
    from scaling_laws.sweep.lr_grid import LrGrid

GROWTH = (1, 2, 4)
_REACH = flags.DEFINE_integer("reach", 2, "rates on either side of the middle one", lower_bound=1, upper_bound=20)
_HORIZONS = flags.DEFINE_list("horizons", [], "optimiser steps of the runs; none: train.steps alone")
_LEVEL = flags.DEFINE_float("level", 0.9, "share of the intervals", lower_bound=0.5, upper_bound=0.999)
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "print the planned runs and train nothing")


def run() -> int:
    """Train, fit the minima, draw."""
    from scaling_laws.progress import duration
    from scaling_laws.sweep import machine, show

    config = cli.config()
    grid = rates.grid(config, arms(config), _REACH.value)
    planned, n_workers = grid.planned(), machine.worker_count(config.sweep.workers)
    seconds = sum(one.expected_seconds for one in planned) / n_workers
    print(f"{show.plural(len(planned), 'run')} at {show.plural(len(grid.runs), 'size')}, about {duration(seconds)} on "
          f"{show.plural(n_workers, 'worker')}, more where a minimum lies at an edge", flush=True)  # fmt: skip
    if _DRY_RUN.value:
        print("\n".join(described(grid)))
        return 0
    workdir = cli.workdir()
    summary = rates.train(grid, workdir)
    if summary.interrupted:
        return command.stopped(summary.terminated)
    report(workdir)
    return 1 if summary.count("failed") else 0


def arms(config: ExperimentConfig) -> list[RunConfig]:
    """The run of each parametrisation, size and horizon, each once. Raises ConfigError for bad sizes."""
    horizons = cli.whole_numbers("--horizons", _HORIZONS.value) if _HORIZONS.value else [config.train.steps]
    values = {axis: sizes.values(config, axis, GROWTH) for axis in sizes.axes()}
    return rates.over(config, sizes.parametrizations(config), values, horizons)


def described(grid: "LrGrid") -> list[str]:
    """The first grid as a table, a line a size."""
    from scaling_laws.sweep import show

    cells = [("parametrization", "width", "depth", "N", "steps", "D", "C a run", "rates", "seconds")]
    for one in grid.runs:
        own = grid.of_size(one)
        rates = sorted({each.run.optimizer.learning_rate for each in own})
        cells.append(
            (
                one.train.parametrization,
                f"{one.model.width}",
                f"{one.model.depth}",
                f"{own[0].counts.n_params:,}",
                f"{one.train.steps:,}",
                f"{own[0].tokens:,}",
                f"{own[0].flops:.3g}",
                f"{rates[0]:.3g} to {rates[-1]:.3g}",
                f"{sum(each.expected_seconds for each in own):.0f}",
            )
        )
    return show.align(cells)


def report(workdir: Path) -> None:
    """lr_sweep.json, the figures, and the minima in words."""
    from analysis import lr_minima
    from analysis.figures import lr_sweep as pictures
    from analysis.figures import static
    from analysis.summary import write_json

    found = lr_minima.minima(rates.read(workdir), _LEVEL.value)
    print("\n".join(lr_minima.lines(found)))
    write_json(workdir / "lr_sweep.json", {"level": _LEVEL.value, "sizes": [one.to_json() for one in found]})
    for drawing in pictures.build(found):
        print(f"figure: {static.save(drawing, workdir / 'figures')[0]}")


if __name__ == "__main__":
    cli.main(run)
