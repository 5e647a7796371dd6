"""Which runs make an ensemble: ordinary runs of the sweep's shapes under further seeds. No JAX here.

Ensemble s takes the seeds s, s + 100, s + 200, ..., so that its first member is the baseline run of that seed.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from scaling_laws import config, families
from scaling_laws.config import ConfigError, ExperimentConfig, ModelConfig, RunConfig
from scaling_laws.spec import Spec
from scaling_laws.sweep.pace import Pace
from scaling_laws.sweep.plan import plan
from scaling_laws.sweep.planned import PlannedRun, TaskFacts, as_planned

STRIDE = 100  # between the seeds of two members


@dataclasses.dataclass(frozen=True)
class Group:
    """An ensemble to be made of runs, in their order; `base`: the run of the sweep that it stands beside."""

    kind: str
    base: PlannedRun
    members: tuple[PlannedRun, ...]

    @property
    def size(self) -> int:
        """K."""
        return len(self.members)


def bases(experiment: ExperimentConfig, facts: TaskFacts) -> tuple[PlannedRun, ...]:
    """The runs of the sweep, their parameters kept. Raises as `plan`, and ConfigError where seeds would meet."""
    seeds = experiment.sweep.seeds
    if any(seed % STRIDE != seed for seed in seeds):
        raise ConfigError(f"sweep.seeds: {max(seeds)}; allowed: below {STRIDE}, for members take further ones")
    found = plan(config.replace(experiment, {"train.keep_parameters": True}), facts)
    if not found.runs:
        raise ConfigError(f"sweep: no shape fits; the first reason: {found.refusals[0].reason}")
    return found.runs


def ensembles(kind: str, base: PlannedRun, sizes: Sequence[int], facts: TaskFacts, split: bool = False) -> list[Group]:
    """An ensemble of each of the `sizes` beside a run of the sweep: `deep` or `bagging`. With `split` its members share
    the parameters of that run, each of the width that comes nearest."""
    found = []
    for size in sizes:
        run = base.run
        if split:
            run = config.replace(run, {"model.width": narrowed(run.model, facts.spec, base.counts.n_params / size)})
        members = tuple(planned(member(run, place), base, facts) for place in range(size))
        found.append(Group(kind, base, members))
    return found


def member(run: RunConfig, place: int) -> RunConfig:
    """The `place`-th member, from 0, of the ensemble whose first one has the seed of `run`."""
    seed = run.train.seed + STRIDE * place
    return config.replace(run, {"train.seed": seed, "train.data_seed": seed})


def planned(run: RunConfig, base: PlannedRun, facts: TaskFacts) -> PlannedRun:
    """A member, counted."""
    counts = families.count_run(run, facts.spec)
    return as_planned(run, counts, facts, Pace(), base.budget, base.purpose, base.lr_source)


def narrowed(model: ModelConfig, spec: Spec, n_params: float) -> int:
    """The width, up to the model's own, at which its count of parameters comes nearest, as a ratio."""
    sizes: dict[int, float] = {}
    for width in range(1, model.width + 1):
        one: Any = dataclasses.replace(model, width=width)
        try:
            families.check(one)
            sizes[width] = abs(math.log(families.count(one, spec).n_params / n_params))
        except ConfigError:  # heads that do not divide it
            continue
    return min(sizes, key=lambda width: sizes[width])
