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
    beside: tuple[PlannedRun, ...] = ()  # trained for it and no members: of a stack each member's runs, fold by fold

    @property
    def size(self) -> int:
        """K."""
        return len(self.members)


def bases(experiment: ExperimentConfig, facts: TaskFacts) -> tuple[PlannedRun, ...]:
    """The runs of the sweep, their parameters kept. Raises as `plan`, and ConfigError where seeds would meet."""
    found = plan(config.replace(experiment, {"train.keep_parameters": True}), facts)
    if not found.runs:
        raise ConfigError(f"sweep: no shape fits; the first reason: {found.refusals[0].reason}")
    largest = max(planned.run.train.seed for planned in found.runs)
    if largest >= STRIDE:
        raise ConfigError(f"sweep.seeds: {largest}; allowed: below {STRIDE}, for members take further ones")
    return found.runs


def ensembles(kind: str, base: PlannedRun, sizes: Sequence[int], facts: TaskFacts, split: bool = False) -> list[Group]:
    """An ensemble of each of the `sizes` beside a run of the sweep: `deep` or `bagging`. With `split` its members share
    the parameters of that run, each of the width that comes nearest."""
    found = []
    for size in sizes:
        run = base.run
        bagged = kind == "bagging"
        if split:
            run = config.replace(run, {"model.width": narrowed(run.model, facts.spec, base.counts.n_params / size)})
        members = tuple(planned(member(run, place, bagged), base, facts) for place in range(size))
        found.append(Group(kind, base, members))
    return found


def stacks(bases: Sequence[PlannedRun], folds: int, facts: TaskFacts) -> list[Group]:
    """Of each seed a stack of all its runs, each of them also trained without one of the `folds` parts of the train
    split. Raises ConfigError for fewer than two folds, and a task without examples of one target."""
    if facts.spec.source != "examples" or facts.spec.targets > 1:
        raise ConfigError("--kind: stacking; allowed: deep, bagging where no table of examples is read")
    if folds < 2:
        raise ConfigError(f"--stacking_folds: {folds}; allowed: 2 or more")
    found = []
    for seed in dict.fromkeys(base.run.train.seed for base in bases):
        own = tuple(base for base in bases if base.run.train.seed == seed)
        parts = tuple(
            planned(config.replace(base.run, {"train.folds": folds, "train.fold": fold}), base, facts)
            for base in own
            for fold in range(folds)
        )
        found.append(Group("stacking", own[0], own, parts))
    return found


def boosts(base: PlannedRun, sizes: Sequence[int], rate: float, facts: TaskFacts) -> list[Group]:
    """Stages of boosting beside a run of the sweep, which is the first of them. Raises ConfigError for a task without
    examples of one target."""
    if facts.spec.source != "examples" or facts.spec.targets > 1:
        raise ConfigError("--kind: boosting; allowed: deep, bagging where no table of examples is read")
    chain = [base]
    for place in range(1, max(sizes)):
        changes = {"boost.previous": chain[-1].run_id, "boost.rate": rate}
        chain.append(planned(config.replace(member(base.run, place), changes), base, facts))
    return [Group("boosting", base, tuple(chain[:size])) for size in sizes]


def member(run: RunConfig, place: int, bagged: bool = False) -> RunConfig:
    """The `place`-th member, from 0, of the ensemble whose first one has the seed of `run`; on a bag of its own."""
    seed = run.train.seed + STRIDE * place
    changes = {"train.seed": seed, "train.data_seed": seed}
    return config.replace(run, changes | ({"train.bag": seed + 1} if bagged else {}))


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
