"""Training the members of ensembles, and the rows that are made of them."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from scaling_laws.config import ConfigError, ExperimentConfig, replace
from scaling_laws.ensembles import grouping
from scaling_laws.ensembles.grouping import Group
from scaling_laws.ensembles.rows import Row
from scaling_laws.sweep import machine, study
from scaling_laws.sweep.planned import PlannedRun, TaskFacts
from scaling_laws.sweep.summary import Summary

WHOLE, SPLIT, STAGES = "whole members", "members of N / K", "stages"


@dataclasses.dataclass(frozen=True)
class Asked:
    """What the command line asks for beside the configuration."""

    kind: str = "deep"
    sizes: Sequence[int] = (1,)
    average: str = "logits"
    split: bool = False
    folds: int = 5
    families: Sequence[str] = ()
    rate: float = 0.5


@dataclasses.dataclass(frozen=True)
class Made:
    """An ensemble's row; `arm` names the line of a figure that it belongs to, `seed` its place in it; `members` are the
    rows that it is made of."""

    arm: str
    seed: int
    size: int
    row: Row
    members: tuple[Row, ...]


def ensembles(config: ExperimentConfig, workdir: Path, asked: Asked) -> tuple[list[Summary], list[Made]]:
    """Train what is missing of the members, stage by stage, and add the rows of their ensembles; a stage after one that
    has not finished is left out. Raises ConfigError for bad settings."""
    if min(asked.sizes) < 1:
        raise ConfigError(f"--members: {min(asked.sizes)}; allowed: 1 or more")
    facts = study.facts_of(config)
    groups = grouped(config, facts, asked)
    n_workers = machine.worker_count(config.sweep.workers)
    runs = {one.run_id: one for each in groups.values() for group in each for one in (*group.members, *group.beside)}
    summaries, ended = [], {"": "finished"}
    rows: dict[str, Row] = {}
    for stage in stages(tuple(runs.values())):
        ready = tuple(one for one in stage if ended.get(one.run.boost.previous) == "finished")
        summary, table = study.train_runs(config, facts, ready, workdir, n_workers)
        summaries.append(summary)
        if summary.interrupted:
            return summaries, []
        rows = {row["run_id"]: row for row in table}
        ended |= {name: row["status"] for name, row in rows.items()}
    return summaries, _derived(config, workdir, groups, rows, asked)


def stages(runs: Sequence[PlannedRun]) -> list[tuple[PlannedRun, ...]]:
    """The runs in the order of their training: those that boost others after these."""
    depth: dict[str, int] = {}
    for one in runs:  # in a group the earlier stages stand first
        depth[one.run_id] = depth[one.run.boost.previous] + 1 if one.run.boost.previous else 0
    last = max(depth.values())
    return [tuple(one for one in runs if depth[one.run_id] == at) for at in range(last + 1)]


def grouped(config: ExperimentConfig, facts: TaskFacts, asked: Asked) -> dict[str, list[Group]]:
    """The ensembles by the way that they are made."""
    families = asked.families or [config.model.family]
    bases = [base for name in families for base in grouping.bases(replace(config, {"model.family": name}), facts)]
    if asked.kind == "stacking":
        return {"stack": grouping.stacks(bases, asked.folds, facts)}
    if asked.kind == "boosting":
        return {STAGES: [one for base in bases for one in grouping.boosts(base, asked.sizes, asked.rate, facts)]}
    ways = {WHOLE: False, **({SPLIT: True} if asked.split else {})}
    return {
        way: [one for base in bases for one in grouping.ensembles(asked.kind, base, asked.sizes, facts, split)]
        for way, split in ways.items()
    }


def _derived(
    config: ExperimentConfig, workdir: Path, groups: dict[str, list[Group]], table: Mapping[str, Row], asked: Asked
) -> list[Made]:
    from scaling_laws.ensembles import derive
    from scaling_laws.tasks import catalog

    task = catalog.load(config.task, machine.task_cache_folder())
    made = []
    for way, each in groups.items():
        for group, members, beside in derive.finished(each, table, workdir):
            if beside:
                arm, row = f"{way} of {group.size}", derive.stacked(group, members, beside, task)
            elif way == STAGES:
                arm, row = f"{shape(group.base)}, {way}", derive.boosted(group, members, task)
            else:
                arm, row = f"{shape(group.base)}, {way}", derive.deep(group, members, task, asked.average)
            own = tuple(dict(member.row) for member in members)
            made.append(Made(arm, group.base.run.train.seed, group.size, row, own))
    derive.write([one.row for one in made], workdir)
    return made


def shape(base: PlannedRun) -> str:
    """What tells the runs of a sweep apart beside their seeds."""
    return f"{base.run.model.family} {base.shape[0]} x {base.shape[1]}, {base.run.train.steps} steps"
