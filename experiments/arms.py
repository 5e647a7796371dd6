"""Arms of a technique beside a baseline's grid, trained in a workdir: what `experiments.technique` does."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaling_laws.config import ExperimentConfig
from scaling_laws.techniques import axes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.pretraining import Pretraining
    from scaling_laws.sweep.arms import ArmGrid, Best, Cell
    from scaling_laws.sweep.summary import Summary

    Rows = list[dict[str, Any]]


def baseline(config: ExperimentConfig, reach: int) -> "ArmGrid":
    """The grid without a technique, `reach` rates on either side of the middle one. Raises ConfigError for settings
    that a run cannot have."""
    from scaling_laws.sweep import arms, study
    from scaling_laws.sweep.pace import Pace

    grid = arms.baseline(config, study.facts_of(config), reach, Pace())
    grid.check()
    return grid


@dataclasses.dataclass(frozen=True)
class Arms:
    """A technique beside a baseline: in which cells, from which teacher, after which runs on other data."""

    grid: "ArmGrid"
    name: str
    at: "Sequence[Cell]"
    teacher: "Cell | None" = None
    before: "Pretraining | None" = None

    def check(self, strength: float) -> None:
        """Raises ConfigError where an arm cannot be, before the baseline is trained."""
        from scaling_laws.sweep import arms

        arms.check(self.grid, self.name, strength, self.at, self.teacher)
        if self.before:
            self.before.check(strength, self.at)

    def train(
        self, strength: float, tuned: "dict[Cell, Best]", rows: "Rows", workdir: Path
    ) -> "tuple[list[Summary], dict[Cell, Best]]":
        """One arm beside the `tuned` cells of the baseline, whose table is `rows`: what was done, and its own best."""
        from experiments.ensembles import arm
        from scaling_laws.sweep import arms

        where = workdir, _workers(self.grid)
        if axes.axis(self.name).source == "members":
            bases = {cell: arms.runs_of(self.grid, cell, tuned[cell], rows) for cell in self.at if cell in tuned}
            summary, found = arm.train(self.grid.experiment, self.grid.facts, bases, strength, *where)
            return [summary], found
        at, sources, done = self.at, None, []
        if self.before:
            summary, sources = self.before.train(strength, self.at, tuned, *where)
            at, done = list(sources), [summary]
            if summary.interrupted:
                return done, {}
        own = arms.arm(self.grid, self.name, strength, at, tuned, self.teacher, sources)
        summary, now = trained(own, workdir)
        return [*done, summary], arms.best(own, now)


def trained(grid: "ArmGrid", workdir: Path) -> "tuple[Summary, Rows]":
    """What is left of a grid and of its extensions; what was done, which is said, and all rows of the workdir."""
    from scaling_laws.sweep import study

    grid.check()
    about = (grid.experiment, grid.facts, grid.planned(), workdir, _workers(grid))
    summary, rows = study.train_runs(*about, more=grid.further)
    study.say_now("\n".join(study.endings(summary)))
    return summary, rows


def _workers(grid: "ArmGrid") -> int:
    from scaling_laws.sweep import machine

    return machine.worker_count(grid.experiment.sweep.workers)
