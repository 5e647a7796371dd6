"""What is a technique worth, in parameters and in compute? Runs with it beside a baseline's grid over N and D.

    python -m experiments.technique --config=experiments/configs/techniques_images.py --workdir=runs/techniques \
        --technique=dropout --strength=0.05,0.1
    python -m analysis.technique --runs=runs/techniques --out=worth.json --figures=figures

The baseline is every width of `sweep.widths` for every number of `sweep.steps`, at every seed; it is trained once for
all techniques of a workdir. Then each cell of --cells is trained at each strength, by the same seeds on the same data.
Every cell and arm has its own learning rate: rates a factor of two apart, extended until the least mean loss lies
inside. All of it are rows of the runs table, whose `technique` and `strength` say the arm. --technique=list names the
techniques. Stop it at any time: the same command goes on. Exit code 0 when done, 1 when a run failed, 130 after Ctrl-C,
75 after SIGTERM, 2 for bad input.
"""

from statistics import fmean, stdev
from typing import TYPE_CHECKING

from absl import flags

from experiments import cli
from scaling_laws import command
from scaling_laws.config import ConfigError, ExperimentConfig
from scaling_laws.techniques import axes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.arms import Arms
    from scaling_laws.sweep.arms import ArmGrid, Best, Cell

_TECHNIQUE = flags.DEFINE_string("technique", "", "which technique; list: what there is")
_STRENGTH = flags.DEFINE_list("strength", [], "its strengths; 0 is the baseline")
_CELLS = flags.DEFINE_list("cells", [], "WIDTHxSTEPS of the arms; none: k-th width and k-th steps, without the ends")
_TEACHER = flags.DEFINE_string("teacher", "", "WIDTHxSTEPS of the baseline's runs that teach")
_PRETRAIN = flags.DEFINE_string("pretrain_path", "", "transfer: data of the sources, named as task.path")
_REACH = flags.DEFINE_integer("reach", 1, "rates on either side of the middle one", lower_bound=1, upper_bound=20)
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "say how many runs there are and train nothing")


def run() -> int:
    """Train the baseline, then the arms, and say what came out."""
    from experiments.arms import baseline, trained
    from scaling_laws.sweep import arms
    from scaling_laws.sweep.show import plural

    if _TECHNIQUE.value == "list":
        print("\n".join(f"{name:20} {axis.doc}" for name, axis in axes.AXES.items()))
        return 0
    axes.axis(_TECHNIQUE.value)
    strengths = [value for value in _strengths() if value]
    grid = baseline(cli.config(), _REACH.value)
    own = _arms(grid)
    for strength in strengths:
        own.check(strength)
    n_runs = len(grid.planned())
    print(f"baseline: {plural(n_runs, 'run')} in {plural(len(grid.runs), 'cell')}; {own.name}: "
          f"{plural(len(strengths), 'strength')} in {plural(len(own.at), 'cell')}", flush=True)  # fmt: skip
    if _DRY_RUN.value:
        return 0
    workdir = cli.workdir()
    summary, rows = trained(grid, workdir)
    tuned, done = arms.best(grid, rows), [summary]
    for strength in strengths:
        if not done[-1].interrupted:
            summaries, found = own.train(strength, tuned, rows, workdir)
            done += summaries
            if not done[-1].interrupted:
                print("\n".join(compared(own.name, strength, tuned, found)), flush=True)
    if done[-1].interrupted:
        return command.stopped(done[-1].terminated)
    return int(any(summary.count("failed") for summary in done))


def _arms(grid: "ArmGrid") -> "Arms":
    """As the flags have it."""
    from experiments.arms import Arms
    from experiments.pretraining import Pretraining

    config, name = grid.experiment, _TECHNIQUE.value
    teacher = _cell(config, _TEACHER.value, "--teacher") if _TEACHER.value else None
    needs_other = axes.axis(name).source == "other"
    return Arms(grid, name, _cells(config), teacher, Pretraining.on(_PRETRAIN.value, grid) if needs_other else None)


def compared(name: str, strength: float, without: "dict[Cell, Best]", found: "dict[Cell, Best]") -> list[str]:
    """A line a cell: the mean losses, and the mean of the differences between runs of the same seed with its error."""
    from scaling_laws.units import loss_text

    lines = []
    for cell, best in found.items():
        other = without[cell]
        differences = [loss - other.losses[seed] for seed, loss in best.losses.items()]
        error = f" +- {stdev(differences) / len(differences) ** 0.5:.4f}" if len(differences) > 1 else ""
        lines.append(
            f"{name} {strength:g}, {cell}: {loss_text(fmean(best.losses.values()))} at rate {best.learning_rate:g}, "
            f"baseline {loss_text(fmean(other.losses.values()))} at {other.learning_rate:g}: "
            f"{fmean(differences):+.4f}{error}"
        )
    return lines


def _strengths() -> list[float]:
    try:
        found = [float(value) for value in _STRENGTH.value]
    except ValueError:
        found = []
    if not found or len(set(found)) < len(found):
        raise ConfigError(f"--strength: {','.join(_STRENGTH.value)!r}; allowed: numbers separated by commas, each once")
    return found


def _cells(config: ExperimentConfig) -> "Sequence[Cell]":
    from scaling_laws.sweep import arms

    if not _CELLS.value:
        return arms.diagonal(config)
    return list(dict.fromkeys(_cell(config, text, "--cells") for text in _CELLS.value))


def _cell(config: ExperimentConfig, text: str, flag: str) -> "Cell":
    """A cell of the baseline's grid, of its least depth."""
    from scaling_laws.sweep import arms

    width, _, steps = text.partition("x")
    grid = arms.cells(config)
    for cell in grid:
        if (width, steps) == (str(cell.width), str(cell.steps)):
            return cell
    raise ConfigError(f"{flag}: {text!r}; allowed: WIDTHxSTEPS of sweep.widths and sweep.steps")


if __name__ == "__main__":
    cli.main(run)
