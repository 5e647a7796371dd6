"""What to run: shapes over width and depth at fixed compute budgets, and what is refused with which reason; or, with
`sweep.steps`, every shape for the same numbers of steps, a grid over N and D; or, with `sweep.runs`, a list of runs.

Pure and free of JAX. Compute, parameters and epochs are exact, counted from the architecture; the learning rate, and
with a fitted rule the batch, follow N and D. A plan is a function of the configuration, with the file that `sweep.rule`
names, and of four facts about the task, nothing else.
"""

import dataclasses
import math
import sys
from collections.abc import Iterable, Mapping

from scaling_laws import compute, config, families, validation
from scaling_laws.config import AXIS, ConfigError, ExperimentConfig, ModelConfig, RunConfig, SweepConfig
from scaling_laws.progress import Progress
from scaling_laws.sweep import listed, trunks
from scaling_laws.sweep.level import Level, levels
from scaling_laws.sweep.level import reason as reason_at
from scaling_laws.sweep.pace import Pace
from scaling_laws.sweep.planned import (
    PlannedRun,
    TaskFacts,
    nearest_integer,
    planned_run,
    rate_allowed,
)
from scaling_laws.sweep.sizing import Extent, Sizing
from scaling_laws.tasks import samples

MOST_SHAPES = 50_000  # shapes x budgets that are looked at
MOST_RUNS = 100_000  # of a plan, which then is made in half a minute
MANY_RUNS = 5000  # from which on progress is shown
LONG = 1 << 40  # steps


@dataclasses.dataclass(frozen=True)
class Refusal:
    """A shape that does not run at a level (at any when None) and why."""

    width: int
    depth: int
    level: Level | None
    reason: str

    @property
    def where(self) -> str:
        """The level in words."""
        return "everywhere" if self.level is None else str(self.level)


@dataclasses.dataclass(frozen=True)
class Plan:
    """The grid of a sweep, levels ascending. `pace` is what the expected seconds rest on."""

    config: ExperimentConfig
    facts: TaskFacts
    pace: Pace
    runs: tuple[PlannedRun, ...]
    refusals: tuple[Refusal, ...]
    notes: tuple[str, ...] = ()  # what set the rates and batches


@dataclasses.dataclass(frozen=True)
class _Candidate:
    model: ModelConfig
    counts: compute.Counts

    @property
    def shape(self) -> tuple[int, int]:
        return self.model.width, self.model.depth


def plan(experiment: ExperimentConfig, facts: TaskFacts, pace: Pace | None = None) -> Plan:
    """All runs of a sweep's grid, each once, and the refusals.

    Raises ConfigError for bad settings, a missing axis, a batch larger than the train split, or too many runs; for a
    rule that is none or holds for another parametrisation, for a run of a list that is refused, and OSError where the
    rule's file cannot be read.
    """
    _check(experiment, facts)
    sizing = Sizing.of(experiment, facts.spec.targets)
    pace = pace or Pace()
    candidates, refusals = _candidates(experiment, facts)
    runs: dict[str, PlannedRun] = {}
    groups = [_group(sizing, facts, candidates, i, level) for i, level in enumerate(levels(experiment.sweep))]
    _check_count(groups, experiment.sweep)
    progress = Progress(len(groups), "levels of the plan")
    for done, group in enumerate(groups, 1):
        refusals += group.refused
        for candidate in group.kept:
            arms, reason = _arms(sizing, candidate, facts, pace, group)
            runs |= {planned.run_id: planned for planned in arms if planned.run_id not in runs}
            refusals += [Refusal(*candidate.shape, group.level, reason)] if reason else []
        if len(runs) > MANY_RUNS:
            progress.update(done, f"{len(runs):,} runs")
    if experiment.sweep.runs and refusals:
        first = refusals[0]
        more = f"; and {len(refusals) - 1} more" if len(refusals) > 1 else ""
        raise ConfigError(
            f"sweep.runs: width {first.width} depth {first.depth}, {first.where}: {first.reason}; "
            f"allowed: runs that fit{more}"
        )
    planned = trunks.share(runs.values(), pace)
    return Plan(experiment, facts, pace, planned, tuple(refusals), sizing.notes(planned))


def _check(experiment: ExperimentConfig, facts: TaskFacts) -> None:
    config.check_fields(experiment)
    if not experiment.sweep.lr_multipliers:
        raise ConfigError("sweep.lr_multipliers: empty; allowed: at least one value")
    if experiment.sweep.runs:
        listed.check(experiment, MOST_RUNS)
    else:
        _check_grid(experiment)
    step_tokens = experiment.train.batch_size * facts.spec.targets
    if step_tokens > facts.unique_tokens:
        raise ConfigError(
            f"train.batch_size: {experiment.train.batch_size} examples of {facts.spec.targets} targets exceed the "
            f"train split; allowed: at most {facts.unique_tokens // facts.spec.targets}"
        )
    neutral = {"model.width": 2, "model.depth": 1, "train.steps": LONG}  # what fits a run of any steps
    neutral |= {"transfer.frozen": "none", "transfer.frozen_blocks": 0}
    neutral = config.replace(config.run_part(experiment), neutral)
    if "n_heads" in families.of(neutral.model).reads:
        neutral = config.replace(neutral, {"model.n_heads": 1})
    validation.validate_run(neutral)
    validation.check_task(config.replace(neutral, {"train.steps": 2}), facts.spec)
    samples.check(neutral, facts.spec, facts.unique_tokens)


def _check_grid(experiment: ExperimentConfig) -> None:
    for name, values in (("width", experiment.sweep.widths), ("depth", experiment.sweep.depths)):
        if getattr(experiment.model, name) == AXIS and not values:
            raise ConfigError(f"sweep.{name}s: empty while model.{name} is 0; allowed: at least one {name}")
    for name in ("budgets", "seeds"):
        if not getattr(experiment.sweep, name) and not (name == "budgets" and experiment.sweep.steps):
            raise ConfigError(f"sweep.{name}: empty; allowed: at least one value")
    count = _shape_count(experiment) * len(levels(experiment.sweep))
    if count > MOST_SHAPES:
        raise ConfigError(f"sweep.widths: {count} shapes and budgets; allowed: at most {MOST_SHAPES} in all")


def shapes(experiment: ExperimentConfig) -> list[tuple[int, int]]:
    """The (width, depth) pairs of the sweep: those of its list, a grid, or one depth a width along `aspect_ratio`.

    A width or depth fixed in `model` narrows its axis. Along an aspect ratio the depth is the whole number nearest
    to width / aspect_ratio, held between the smallest and the largest of `sweep.depths`.
    """
    model, sweep = experiment.model, experiment.sweep
    if sweep.runs:
        return sorted({run.shape for run in listed.listed(sweep)})
    widths = (model.width,) if model.width != AXIS else sorted(sweep.widths)
    if model.depth != AXIS:
        return [(width, model.depth) for width in widths]
    if sweep.aspect_ratio > 0:
        low, high = min(sweep.depths), max(sweep.depths)
        ideals = [min(max(width / sweep.aspect_ratio, low), high) for width in widths]  # maybe infinite before
        return [(width, nearest_integer(ideal)) for width, ideal in zip(widths, ideals, strict=True)]
    return [(width, depth) for width in widths for depth in sorted(sweep.depths)]


def _shape_count(experiment: ExperimentConfig) -> int:
    """How many `shapes` there are, without listing them."""
    model, sweep = experiment.model, experiment.sweep
    depths = len(sweep.depths) if model.depth == AXIS and sweep.aspect_ratio == 0 else 1
    return depths * (len(sweep.widths) if model.width == AXIS else 1)


def _candidates(experiment: ExperimentConfig, facts: TaskFacts) -> tuple[list[_Candidate], list[Refusal]]:
    found, refused = [], []
    for width, depth in shapes(experiment):
        model = dataclasses.replace(experiment.model, width=width, depth=depth)
        run = dataclasses.replace(config.run_part(experiment), model=model)
        reason = _shape_reason(run)
        if reason:
            refused.append(Refusal(width, depth, None, reason))
        else:
            found.append(_Candidate(model, families.count_run(run, facts.spec)))
    return found, refused


def _shape_reason(run: RunConfig) -> str:
    try:
        families.check(run.model)
        families.check_frozen(run.model, run.transfer)
    except ConfigError as error:
        return str(error)
    return ""


@dataclasses.dataclass(frozen=True)
class _Group:
    """The shapes that run at a level, in ascending order of the candidates, how much each trains, its further seeds."""

    level: Level
    kept: tuple[_Candidate, ...]
    extents: Mapping[ModelConfig, Extent]
    extra: Mapping[ModelConfig, tuple[int, ...]]
    refused: tuple[Refusal, ...]


def _group(sizing: Sizing, facts: TaskFacts, candidates: list[_Candidate], index: int, level: Level) -> _Group:
    """What runs at the `index`-th level."""
    sweep = sizing.experiment.sweep
    candidates = [c for c in candidates if level.seeds(c.shape, sweep)]
    extents = {c.model: level.extent(sizing, c.counts) for c in candidates}
    reasons = {
        c.model: sizing.batch_reason(extents[c.model])
        or reason_at(sizing.experiment, c.counts, facts, level, extents[c.model])
        for c in candidates
    }
    centre = _centre(sweep, [c for c in candidates if not reasons[c.model]], level)
    ranked = sorted(candidates, key=lambda c: abs(math.log(c.counts.n_params / centre)))
    fitting = [c for c in ranked if not reasons[c.model]]
    most = sweep.shapes_per_budget if level.budget is not None else 0
    kept = fitting[:most] if most else fitting
    # a refused shape is worth a line only where it would have been kept
    within = ranked[: ranked.index(kept[-1])] if most and len(kept) < len(fitting) else ranked
    refused = tuple(Refusal(*c.shape, level, reasons[c.model]) for c in within if reasons[c.model])
    repeated = sweep.extra_seeds if not sweep.extra_seed_budgets or index < sweep.extra_seed_budgets else ()
    extra = {c.model: repeated if rank < sweep.extra_seed_shapes else () for rank, c in enumerate(kept)}
    return _Group(level, tuple(c for c in candidates if c.model in extra), extents, extra, refused)


def _check_count(groups: Iterable[_Group], sweep: SweepConfig) -> None:
    """Raises ConfigError where the runs of a grid are too many; those of a list are counted before."""
    seeds = sum(len(sweep.seeds) + len(extra) for g in groups if g.level.listed is None for extra in g.extra.values())
    if len(sweep.lr_multipliers) * seeds > MOST_RUNS:
        raise ConfigError(
            f"sweep.seeds: more than {MOST_RUNS} runs with all shapes, budgets, rates and seeds; allowed: fewer"
        )


def _centre(sweep: SweepConfig, fitting: list[_Candidate], level: Level) -> float:
    """N at the middle of a level's shapes: of a budget the rule of `sweep.center`, or the middle of those that fit."""
    if sweep.center > 0 and level.budget is not None:
        return max(sys.float_info.min, sweep.center * (level.budget / 1e12) ** sweep.center_exponent)
    sizes = [c.counts.n_params for c in fitting] or [1]
    return math.sqrt(min(sizes) * max(sizes))


def _arms(
    sizing: Sizing, candidate: _Candidate, facts: TaskFacts, pace: Pace, group: _Group
) -> tuple[list[PlannedRun], str]:
    """Rates x seeds of one shape at one level, and the reason when a rate is out of range."""
    level, extent, extra = group.level, group.extents[candidate.model], group.extra[candidate.model]
    experiment, counts = sizing.experiment, candidate.counts
    sweep, train = experiment.sweep, experiment.train
    train = dataclasses.replace(train, batch_size=extent.batch_size, steps=extent.steps)
    base = dataclasses.replace(config.run_part(experiment), model=candidate.model, train=train)
    grid = level.seeds(candidate.shape, sweep)
    seeds = [(s, "grid") for s in grid] + [(s, "extra_seed") for s in extra if s not in grid]
    runs, refused = [], []
    for multiplier in sorted(sweep.lr_multipliers):
        rate = sizing.rate(counts.n_params, extent.tokens) * multiplier
        if not rate_allowed(rate):
            refused.append(f"{rate:.3g}")
            continue
        source = sizing.source if multiplier == 1 else f"{sizing.source} x {multiplier:g}"
        runs += [planned_run(base, counts, facts, pace, level.budget, purpose, rate, s, source) for s, purpose in seeds]
    return runs, f"learning rate {', '.join(refused)} by the rule is out of range" if refused else ""
