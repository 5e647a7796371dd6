"""The rows of ensembles from those of their members."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from scaling_laws.ensembles import rows, stacking
from scaling_laws.ensembles.grouping import Group
from scaling_laws.ensembles.rows import Row
from scaling_laws.progress import Progress
from scaling_laws.table import Journal, compact
from scaling_laws.tasks import measured, order
from scaling_laws.tasks.task import Task
from scaling_laws.train import mixture
from scaling_laws.train.finished import Finished

Ready = tuple[Group, list[Finished], list[Finished]]


def deep(group: Group, members: Sequence[Finished], task: Task, average: str) -> Row:
    """The mean of the members' logits or probabilities (Lakshminarayanan et al. 2017, section 2.4); strength K - 1."""
    seen = mixture.evaluate(members, task, average=average)
    found = measured.columns(task, seen.losses, seen.places, seen.outputs)
    own = [member.row for member in members]
    return rows.row(group.kind, own, found, {"average": average}, float(group.size - 1))


def stacked(group: Group, members: Sequence[Finished], beside: Sequence[Finished], task: Task) -> Row:
    """A model of the members' outputs, learnt from those of each one's runs fold by fold in `beside`; K - 1 strong."""
    folds = len(beside) // len(members)
    each = [beside[k * folds : (k + 1) * folds] for k in range(len(members))]
    said = [np.stack([mixture.outputs([run], task, order.training(task)) for run in runs]) for runs in each]
    told = [stacking.out_of_fold(task, folds, outputs) for outputs in said]
    seen = [mixture.evaluate([member], task) for member in members]
    asked = [np.asarray(one.outputs) for one in seen]
    outputs = stacking.stacked(task.spec, told, task.train["targets"], asked)
    places = seen[0].places
    found = measured.columns(task, stacking.losses(task, outputs, places), places, outputs)
    own, others = ([member.row for member in each] for each in (members, beside))
    return rows.row(group.kind, own, found, {"folds": folds}, float(group.size - 1), others)


def boosted(group: Group, members: Sequence[Finished], task: Task) -> Row:
    """The sum of the stages so far, the last one times its rate too; strength K - 1. Its `extra_flops` are the stages'
    own and the passes that put each beneath the next one."""
    own = [member.row for member in members]
    seen = mixture.evaluate(members, task, weights=[1.0, *(member.run.boost.rate for member in members[1:])])
    found = measured.columns(task, seen.losses, seen.places, seen.outputs)
    behind = {"pretrain_flops": own[0]["pretrain_flops"]}  # of the others it is the stages before, members here
    return rows.row(group.kind, own, found | behind, {}, float(group.size - 1))


def finished(groups: Collection[Group], table: Mapping[str, Row], workdir: Path) -> Iterator[Ready]:
    """The groups of which every run has finished, with their members and what was trained beside, as progress is
    shown. Raises KeptError where one kept nothing."""
    known: dict[str, Finished] = {}
    with Progress(len(groups), "ensembles") as progress:
        for done, group in enumerate(groups, 1):
            ids = [planned.run_id for planned in (*group.members, *group.beside)]
            if all(run_id in table and table[run_id]["status"] == "finished" for run_id in ids):
                for run_id in ids:
                    known[run_id] = known.get(run_id) or Finished.of(table[run_id], workdir)
                found = [known[run_id] for run_id in ids]
                yield group, found[: group.size], found[group.size :]
            progress.update(done)


def write(found: Iterable[Row], workdir: Path) -> None:
    """Add rows that are not there yet to the table of `workdir`."""
    with Journal(workdir) as journal:
        for row in found:
            if row["run_id"] not in journal.finished_ids():
                journal.append(row)
        compact(workdir)
