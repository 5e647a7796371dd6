"""Runs over learning rates at several sizes, each grid extended until its minimum lies inside. Pure, free of JAX."""

import dataclasses
import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scaling_laws import families, validation
from scaling_laws.config import ConfigError, ExperimentConfig, RunConfig
from scaling_laws.sweep.pace import Pace
from scaling_laws.sweep.planned import PlannedRun, TaskFacts, planned_run, rate_allowed
from scaling_laws.sweep.rates import FACTOR, loss_of
from scaling_laws.tasks import samples

Row = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class LrGrid:
    """Every run of `runs` (one a size) at rates FACTOR apart, `reach` of them on either side of its own, and at every
    seed of `sweep.seeds`. `each_seed`: the minimum of each seed, too, is to lie inside, not that of the mean alone."""

    experiment: ExperimentConfig
    facts: TaskFacts
    runs: tuple[RunConfig, ...]
    reach: int
    pace: Pace
    each_seed: bool = True

    def check(self) -> None:
        """Raises ConfigError for settings that a run cannot have."""
        if not self.experiment.sweep.seeds:
            raise ConfigError("sweep.seeds: empty; allowed: at least one value")
        for run in self._begun():
            validation.validate_run(run)
            validation.check_task(run, self.facts.spec)
            samples.check(run, self.facts.spec, self.facts.unique_tokens)
            if not run.optimizer.learning_rate:
                raise ConfigError("optimizer.learning_rate: 0; allowed: above 0, the middle of the rates")
            tokens = run.train.steps * run.train.batch_size * self.facts.spec.targets
            one_pass = self.facts.pass_tokens(run.train)
            if tokens > self.experiment.sweep.max_epochs * one_pass:
                epochs = tokens / one_pass
                most = f"sweep.max_epochs = {self.experiment.sweep.max_epochs:g}"
                raise ConfigError(f"train.steps: {run.train.steps} read {epochs:.2f} epochs; allowed: at most {most}")

    def _begun(self) -> Sequence[RunConfig]:
        """The `runs` as one of them is trained, but for its rate and seed."""
        return self.runs

    def planned(self) -> tuple[PlannedRun, ...]:
        """The grid before any is known."""
        return tuple(one for run in self.runs for one in self.of_size(run))

    def of_size(self, run: RunConfig) -> list[PlannedRun]:
        """The runs of one of `runs` in that grid, rates ascending."""
        return [one for power in range(-self.reach, self.reach + 1) for one in self._at(run, power)]

    def further(self, rows: Iterable[Row]) -> list[PlannedRun]:
        """Runs beyond the edges at which a size's least loss lies, of the mean over seeds or, with `each_seed`, of any
        seed (the interval needs the minimum of each), at most `sweep.lr_max_extensions` on a side.

        A size waits until all its runs have a row. Replayed from the first grid, so that what was interrupted in
        between changes nothing.
        """
        by_id = {row["run_id"]: row for row in rows}
        return [one for run in self.runs for one in self._beyond(run, by_id)]

    def tried(self, run: RunConfig, by_id: Mapping[str, Row]) -> list[PlannedRun]:
        """The runs of one of `runs`, of the grid and of its extensions, that have a row; rates ascending."""
        powers = range(-self._most, self._most + 1)
        return [one for power in powers for one in self._at(run, power) if one.run_id in by_id]

    @property
    def _most(self) -> int:
        """How many rates on either side there may be."""
        return self.reach + self.experiment.sweep.lr_max_extensions

    def _beyond(self, run: RunConfig, by_id: Mapping[str, Row]) -> Sequence[PlannedRun]:
        low, high = -self.reach, self.reach
        most = self._most
        while True:
            tried = {power: self._at(run, power) for power in range(low, high + 1)}
            missing = [one for runs in tried.values() for one in runs if one.run_id not in by_id]
            if missing:
                return missing
            losses = {power: [loss_of(by_id[one.run_id]) for one in runs] for power, runs in tried.items() if runs}
            best = _lowest(losses, self.each_seed)
            if low in best and low > -most:
                low -= 1
            elif high in best and high < most:
                high += 1
            else:
                return ()

    @functools.cached_property
    def _made(self) -> dict[tuple[RunConfig, int], list[PlannedRun]]:
        """What `_at` has made: `further` asks for it again after every row."""
        return {}

    def _at(self, run: RunConfig, power: int) -> list[PlannedRun]:
        """The runs of a size `power` steps from its own rate, one a seed; none where no run may have that rate."""
        if (run, power) not in self._made:
            rate = float(f"{run.optimizer.learning_rate * FACTOR**power:.4g}")
            seeds = self.experiment.sweep.seeds if rate_allowed(rate) else ()
            self._made[run, power] = [self._planned(run, rate, seed) for seed in seeds]
        return self._made[run, power]

    def _planned(self, run: RunConfig, rate: float, seed: int) -> PlannedRun:
        counts = families.count_run(run, self.facts.spec)
        return planned_run(run, counts, self.facts, self.pace, None, "lr_sweep", rate, seed, "lr_sweep")


def _lowest(losses: Mapping[int, Sequence[float]], each_seed: bool) -> set[int]:
    """The powers with the least mean loss and with the least of each seed, of those at which no run went bad."""
    tried = [power for power in sorted(losses) if math.isfinite(sum(losses[power]))]
    seeds = zip(*(losses[power] for power in tried), strict=True) if each_seed else ()
    lines = [dict(zip(tried, own, strict=True)) for own in seeds]
    lines.append({power: sum(losses[power]) for power in tried})
    return {min(line, key=lambda power: (line[power], power)) for line in lines if line}
