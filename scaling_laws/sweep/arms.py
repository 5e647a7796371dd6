"""Runs with a technique beside those without: cells of a baseline's grid over N and D, each again at every strength,
with the same seeds and data, and with rates of its own. Pure, free of JAX."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from scaling_laws import families
from scaling_laws.config import ConfigError, ExperimentConfig, RunConfig, replace, run_part
from scaling_laws.sweep import listed
from scaling_laws.sweep.lr_grid import LrGrid
from scaling_laws.sweep.pace import Pace
from scaling_laws.sweep.planned import Arm, PlannedRun, TaskFacts, planned_run
from scaling_laws.sweep.rates import loss_of
from scaling_laws.techniques import axes

Row = Mapping[str, Any]
Sources = Mapping["Cell", Mapping[int, Mapping[str, Any]]]  # by cell and seed, the settings that name a source
BASELINE: Arm = ("none", 0.0)


@dataclasses.dataclass(frozen=True, order=True)
class Cell:
    """A place of the grid."""

    width: int
    depth: int
    steps: int

    @classmethod
    def of(cls, run: RunConfig) -> "Cell":
        """That of a run."""
        return cls(run.model.width, run.model.depth, run.train.steps)

    def run(self, config: RunConfig) -> RunConfig:
        """A run there."""
        shape = {"model.width": self.width, "model.depth": self.depth, "train.steps": self.steps}
        return replace(run_part(config), shape)

    def __str__(self) -> str:
        return f"width {self.width} depth {self.depth}, {self.steps:,} steps"


@dataclasses.dataclass(frozen=True)
class ArmGrid(LrGrid):
    """An LrGrid whose rows say `arm`, with one minimum a cell. `by_seed`: what of a run depends on seeds, by cell."""

    each_seed: bool = False
    arm: Arm = BASELINE
    by_seed: Sources = dataclasses.field(default_factory=dict)

    def _begun(self) -> Sequence[RunConfig]:
        seed = self.experiment.sweep.seeds[0]
        return [self._of_seed(run, seed) for run in self.runs]

    def _of_seed(self, run: RunConfig, seed: int) -> RunConfig:
        return replace(run, self.by_seed.get(Cell.of(run), {}).get(seed, {}))

    def _planned(self, run: RunConfig, rate: float, seed: int) -> PlannedRun:
        own = self._of_seed(run, seed)
        counts = families.count_run(own, self.facts.spec)
        about = (self.facts, self.pace, None, "technique", rate, seed, "technique: its own rates")
        return dataclasses.replace(planned_run(own, counts, *about), arm=self.arm)


@dataclasses.dataclass(frozen=True)
class Best:
    """The runs of a cell at the rate of the least mean loss over seeds, one a seed."""

    learning_rate: float
    losses: Mapping[int, float]
    run_ids: Mapping[int, str]


def cells(config: ExperimentConfig) -> list[Cell]:
    """The whole grid of `sweep.widths`, `sweep.depths` and `sweep.steps`. Raises ConfigError where one is empty."""
    sweep = config.sweep
    listed.refuse(sweep, "but widths, depths and steps, for a grid over N and D")
    for name in ("widths", "depths", "steps"):
        if not getattr(sweep, name):
            raise ConfigError(f"sweep.{name}: empty; allowed: at least one value, for a grid over N and D")
    return [Cell(w, d, s) for w in sorted(sweep.widths) for d in sorted(sweep.depths) for s in sorted(sweep.steps)]


def diagonal(config: ExperimentConfig) -> list[Cell]:
    """The k-th width with the k-th number of steps, but for the first and the last of both: a cell with a technique is
    to be no better and no worse than all that the baseline measured. Raises ConfigError where nothing is left."""
    sweep = config.sweep
    pairs = list(zip(sorted(sweep.widths)[1:-1], sorted(sweep.steps)[1:-1], strict=False))
    if not pairs or len(sweep.depths) != 1:
        raise ConfigError("--cells: missing; allowed: WIDTHxSTEPS,.. but with three widths and steps, and one depth")
    return [Cell(width, sweep.depths[0], steps) for width, steps in pairs]


def baseline(config: ExperimentConfig, facts: TaskFacts, reach: int, pace: Pace) -> ArmGrid:
    """The grid without the technique; its finished runs keep their parameters, for arms that begin from them."""
    plain = replace(config, {"train.keep_parameters": True})
    return ArmGrid(config, facts, tuple(cell.run(plain) for cell in cells(config)), reach, pace)


def best(grid: ArmGrid, rows: Iterable[Row]) -> dict[Cell, Best]:
    """Each cell of a grid at its best rate; rates of which a seed has not finished do not count, and cells without any
    are left out."""
    by_id = {row["run_id"]: row for row in rows}
    found = {}
    for run in grid.runs:
        by_rate: dict[float, dict[int, Row]] = {}
        for one in grid.tried(run, by_id):
            by_rate.setdefault(one.run.optimizer.learning_rate, {})[one.run.train.seed] = by_id[one.run_id]
        sound = {
            rate: own
            for rate, own in by_rate.items()
            if len(own) == len(grid.experiment.sweep.seeds) and all(row["status"] == "finished" for row in own.values())
        }
        if sound:
            rate = min(sound, key=lambda each: fmean(loss_of(row) for row in sound[each].values()))
            losses = {seed: loss_of(row) for seed, row in sound[rate].items()}
            found[Cell.of(run)] = Best(rate, losses, {seed: row["run_id"] for seed, row in sound[rate].items()})
    return found


def runs_of(grid: ArmGrid, cell: Cell, found: Best, rows: Iterable[Row]) -> list[PlannedRun]:
    """The runs of a cell at its best rate."""
    by_id, ids = {row["run_id"]: row for row in rows}, set(found.run_ids.values())
    return [one for run in grid.runs if Cell.of(run) == cell for one in grid.tried(run, by_id) if one.run_id in ids]


def check(of: ArmGrid, name: str, strength: float, at: Sequence[Cell], teacher: Cell | None = None) -> None:
    """Raises ConfigError where an arm cannot be, before the baseline is trained."""
    named = {seed: {axes.axis(name).source_path: "0" * 16} for seed in of.experiment.sweep.seeds}
    arm(of, name, strength, at, untuned(of), teacher, dict.fromkeys(at, named)).check()


def untuned(of: ArmGrid) -> dict[Cell, Best]:
    """What stands in for the best of every cell before any is known: the configuration's rate, and no run's name."""
    config = of.experiment
    some = Best(config.optimizer.learning_rate, {}, dict.fromkeys(config.sweep.seeds, "0" * 16))
    return dict.fromkeys(map(Cell.of, of.runs), some)


def pretraining(
    of: ArmGrid,
    strength: float,
    at: Sequence[Cell],
    tuned: Mapping[Cell, Best],
    config: ExperimentConfig,
    facts: TaskFacts,
) -> ArmGrid:
    """The runs on other data (those of `config`, which `facts` tell of) from which an arm of the cells `at` begins, in
    their order: `strength` times their steps, at their best rate, which is the only one."""
    kept = replace(config, {"train.keep_parameters": True, "sweep.lr_max_extensions": 0})
    runs = []
    for cell in at:
        changes = {"train.steps": round(strength * cell.steps), "optimizer.learning_rate": tuned[cell].learning_rate}
        runs.append(replace(cell.run(kept), changes))
    return ArmGrid(kept, facts, tuple(runs), 0, of.pace)


def arm(
    of: ArmGrid,
    name: str,
    strength: float,
    at: Sequence[Cell],
    tuned: Mapping[Cell, Best],
    teacher: Cell | None = None,
    sources: Sources | None = None,
) -> ArmGrid:
    """The arm of a technique (`axes.AXES`) at one strength beside the baseline `of`, whose best
    rates are the middle of its own. `sources`: those on other data, for a technique that needs them.

    Raises ConfigError for cells that the baseline has not, or that did not finish there, and for a missing teacher.
    """
    axis, runs, by_seed = axes.axis(name), [], {}
    for cell in at:
        if cell not in tuned:
            raise ConfigError(f"--cells: {cell}: no rate finished there; allowed: cells of the baseline where one did")
        changes = {"optimizer.learning_rate": tuned[cell].learning_rate, **axis.changes(strength)}
        runs.append(replace(cell.run(of.experiment), changes))
        if axis.source == "other":
            by_seed[cell] = (sources or {})[cell]
        elif axis.source_path:
            source = cell if axis.source == "own" else teacher
            if source is None or source not in tuned:
                raise ConfigError(f"--teacher: {source or 'missing'}; allowed: WIDTHxSTEPS of a cell of the baseline")
            by_seed[cell] = {seed: {axis.source_path: run_id} for seed, run_id in tuned[source].run_ids.items()}
    about = (of.experiment, of.facts, tuple(runs), of.reach, of.pace)
    return ArmGrid(*about, arm=(name, strength), by_seed=by_seed)
