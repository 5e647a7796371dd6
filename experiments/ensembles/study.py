"""Training the members of ensembles, and the rows that are made of them."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from scaling_laws.config import ConfigError, ExperimentConfig
from scaling_laws.ensembles import grouping
from scaling_laws.ensembles.grouping import Group
from scaling_laws.ensembles.rows import Row
from scaling_laws.sweep import machine, study
from scaling_laws.sweep.planned import PlannedRun
from scaling_laws.sweep.summary import Summary

WHOLE, SPLIT = "whole members", "members of N / K"


@dataclasses.dataclass(frozen=True)
class Made:
    """An ensemble's row; `arm` names the line of a figure that it belongs to, `seed` its place in it."""

    arm: str
    seed: int
    size: int
    row: Row


def ensembles(
    config: ExperimentConfig, workdir: Path, kind: str, sizes: Sequence[int], average: str, split: bool
) -> tuple[Summary, list[Made]]:
    """Train what is missing of the members and add the rows of their ensembles. Raises ConfigError for bad settings."""
    if min(sizes) < 1:
        raise ConfigError(f"--members: {min(sizes)}; allowed: 1 or more")
    facts = study.facts_of(config)
    bases = grouping.bases(config, facts)
    groups = {WHOLE: [one for base in bases for one in grouping.ensembles(kind, base, sizes, facts)]}
    if split:
        groups[SPLIT] = [one for base in bases for one in grouping.ensembles(kind, base, sizes, facts, split=True)]
    runs = {planned.run_id: planned for each in groups.values() for group in each for planned in group.members}
    n_workers = machine.worker_count(config.sweep.workers)
    summary, table = study.train_runs(config, facts, tuple(runs.values()), workdir, n_workers)
    if summary.interrupted:
        return summary, []
    return summary, _derived(config, workdir, groups, table, average)


def _derived(
    config: ExperimentConfig, workdir: Path, groups: dict[str, list[Group]], table: list[Row], average: str
) -> list[Made]:
    from scaling_laws.ensembles import derive
    from scaling_laws.tasks import catalog

    task, rows = catalog.load(config.task, machine.task_cache_folder()), {row["run_id"]: row for row in table}
    made = []
    for way, each in groups.items():
        for group, members in derive.finished(each, rows, workdir):
            row = derive.deep(group, members, task, average)
            made.append(Made(f"{shape(group.base)}, {way}", group.base.run.train.seed, group.size, row))
    derive.write([one.row for one in made], workdir)
    return made


def shape(base: PlannedRun) -> str:
    """What tells the runs of a sweep apart beside their seeds."""
    return f"width {base.shape[0]}, depth {base.shape[1]}, {base.run.train.steps} steps"
