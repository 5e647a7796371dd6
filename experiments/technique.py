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

import dataclasses
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from absl import flags

from experiments import cli
from scaling_laws import command
from scaling_laws.config import ConfigError, ExperimentConfig
from scaling_laws.techniques import axes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from experiments.pretraining import Pretraining
    from scaling_laws.sweep.arms import ArmGrid, Best, Cell
    from scaling_laws.sweep.summary import Summary

_TECHNIQUE = flags.DEFINE_string("technique", "", "which technique; list: what there is")
_STRENGTH = flags.DEFINE_list("strength", [], "its strengths; 0 is the baseline")
_CELLS = flags.DEFINE_list("cells", [], "WIDTHxSTEPS of the arms; none: k-th width and k-th steps, without the ends")
_TEACHER = flags.DEFINE_string("teacher", "", "WIDTHxSTEPS of the baseline's runs that teach")
_PRETRAIN = flags.DEFINE_string("pretrain_path", "", "transfer: data of the sources, named as task.path")
_REACH = flags.DEFINE_integer("reach", 1, "rates on either side of the middle one", lower_bound=1, upper_bound=20)
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "say how many runs there are and train nothing")


def run() -> int:
    """Train the baseline, then the arms, and say what came out."""
    from scaling_laws.sweep import arms, study
    from scaling_laws.sweep.pace import Pace
    from scaling_laws.sweep.show import plural

    if _TECHNIQUE.value == "list":
        print("\n".join(f"{name:20} {axis.doc}" for name, axis in axes.AXES.items()))
        return 0
    axes.axis(_TECHNIQUE.value)
    strengths = [value for value in _strengths() if value]
    config = cli.config()
    grid = arms.baseline(config, study.facts_of(config), _REACH.value, Pace())
    grid.check()
    own = _Arms.of(grid)
    for strength in strengths:
        own.check(strength)
    n_runs = len(grid.planned())
    print(f"baseline: {plural(n_runs, 'run')} in {plural(len(grid.runs), 'cell')}; {own.name}: "
          f"{plural(len(strengths), 'strength')} in {plural(len(own.at), 'cell')}", flush=True)  # fmt: skip
    if _DRY_RUN.value:
        return 0
    summary, rows = _trained(grid)
    tuned, done = arms.best(grid, rows), [summary]
    for strength in strengths:
        if not done[-1].interrupted:
            summaries, found = own.train(strength, tuned, rows)
            done += summaries
            if not done[-1].interrupted:
                print("\n".join(compared(own.name, strength, tuned, found)), flush=True)
    if done[-1].interrupted:
        return command.stopped(done[-1].terminated)
    return int(any(summary.count("failed") for summary in done))


@dataclasses.dataclass(frozen=True)
class _Arms:
    """A technique beside a baseline: in which cells, from which teacher, after which runs on other data."""

    grid: "ArmGrid"
    name: str
    at: "Sequence[Cell]"
    teacher: "Cell | None"
    before: "Pretraining | None"

    @classmethod
    def of(cls, grid: "ArmGrid") -> "_Arms":
        """As the flags have it."""
        from experiments.pretraining import Pretraining

        config, name = grid.experiment, _TECHNIQUE.value
        teacher = _cell(config, _TEACHER.value, "--teacher") if _TEACHER.value else None
        needs_other = axes.axis(name).source == "other"
        return cls(grid, name, _cells(config), teacher, Pretraining.on(_PRETRAIN.value, grid) if needs_other else None)

    def check(self, strength: float) -> None:
        """Raises ConfigError where an arm cannot be, before the baseline is trained."""
        from scaling_laws.sweep import arms

        arms.check(self.grid, self.name, strength, self.at, self.teacher)
        if self.before:
            self.before.check(strength, self.at)

    def train(
        self, strength: float, tuned: "dict[Cell, Best]", rows: "list[dict[str, Any]]"
    ) -> "tuple[list[Summary], dict[Cell, Best]]":
        """One arm beside the `tuned` cells of the baseline, whose table is `rows`: what was done, and its own best."""
        from experiments.ensembles import arm
        from scaling_laws.sweep import arms

        if axes.axis(self.name).source == "members":
            bases = {cell: arms.runs_of(self.grid, cell, tuned[cell], rows) for cell in self.at if cell in tuned}
            about = (self.grid.experiment, self.grid.facts, bases, strength, *_where(self.grid))
            summary, found = arm.train(*about)
            return [summary], found
        at, sources, done = self.at, None, []
        if self.before:
            summary, sources = self.before.train(strength, self.at, tuned, *_where(self.grid))
            at, done = list(sources), [summary]
            if summary.interrupted:
                return done, {}
        own = arms.arm(self.grid, self.name, strength, at, tuned, self.teacher, sources)
        summary, now = _trained(own)
        return [*done, summary], arms.best(own, now)


def _where(grid: "ArmGrid") -> "tuple[Path, int]":
    """The workdir, and how many work in it."""
    from scaling_laws.sweep import machine

    return cli.workdir(), machine.worker_count(grid.experiment.sweep.workers)


def _trained(grid: "ArmGrid") -> "tuple[Summary, list[dict[str, Any]]]":
    """What is left of a grid and of its extensions; what was done, and all rows of the workdir."""
    from scaling_laws.sweep import study

    grid.check()
    about = (grid.experiment, grid.facts, grid.planned(), *_where(grid))
    summary, rows = study.train_runs(*about, more=grid.further)
    print("\n".join(study.endings(summary)), flush=True)
    return summary, rows


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
