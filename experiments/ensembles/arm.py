"""Deep ensembles as an arm of a technique: beside tuned runs of a baseline, of further seeds at the same rate."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from scaling_laws.config import ExperimentConfig
from scaling_laws.ensembles import grouping
from scaling_laws.sweep import machine, study
from scaling_laws.sweep.arms import Best, Cell
from scaling_laws.sweep.planned import PlannedRun, TaskFacts
from scaling_laws.sweep.summary import Summary


def train(
    config: ExperimentConfig,
    facts: TaskFacts,
    bases: Mapping[Cell, Sequence[PlannedRun]],
    strength: float,
    workdir: Path,
    n_workers: int,
) -> tuple[Summary, dict[Cell, Best]]:
    """Train `strength` further members of each of the runs `bases` of a cell and add the rows of their ensembles; what
    was done, and the ensembles of each cell by seed."""
    whole = [int(strength) + 1]
    groups = [grouping.ensembles("deep", base, whole, facts)[0] for own in bases.values() for base in own]
    runs = {one.run_id: one for group in groups for one in group.members}
    summary, table = study.train_runs(config, facts, tuple(runs.values()), workdir, n_workers)
    if summary.interrupted:
        return summary, {}
    from scaling_laws.ensembles import derive
    from scaling_laws.tasks import catalog

    task = catalog.load(config.task, machine.task_cache_folder())
    by_id, rows = {row["run_id"]: row for row in table}, {}
    for group, members, _ in derive.finished(groups, by_id, workdir):
        rows[Cell.of(group.base.run), group.base.run.train.seed] = derive.deep(group, members, task, "logits")
    derive.write(rows.values(), workdir)
    found: dict[Cell, Best] = {}
    for cell, own in bases.items():
        mine = {seed: row for (at, seed), row in rows.items() if at == cell}
        losses = {seed: row["loss"] for seed, row in mine.items()}
        if mine:
            rate = own[0].run.optimizer.learning_rate
            found[cell] = Best(rate, losses, {seed: row["run_id"] for seed, row in mine.items()})
    return summary, found
