"""The rows of ensembles from those of their members."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from scaling_laws.ensembles import mixture, rows
from scaling_laws.ensembles.grouping import Group
from scaling_laws.ensembles.member import Member
from scaling_laws.ensembles.rows import Row
from scaling_laws.table import Journal, compact
from scaling_laws.tasks import measured
from scaling_laws.tasks.task import Task


def deep(group: Group, members: Sequence[Member], task: Task, average: str) -> Row:
    """The mean of the members' logits or probabilities (Lakshminarayanan et al. 2017, section 2.4); strength K - 1."""
    seen = mixture.evaluate(members, task, average=average)
    found = measured.columns(task, seen.losses, seen.places, seen.outputs)
    own = [member.row for member in members]
    return rows.row(group.kind, own, found, {"average": average}, float(group.size - 1))


def finished(groups: Iterable[Group], table: Mapping[str, Row], workdir: Path) -> Iterator[tuple[Group, list[Member]]]:
    """The groups of which every member has finished, with their members. Raises KeptError where one kept nothing."""
    known: dict[str, Member] = {}
    for group in groups:
        ids = [planned.run_id for planned in group.members]
        if all(table[run_id]["status"] == "finished" for run_id in ids if run_id in table) and set(ids) <= set(table):
            for run_id in ids:
                known[run_id] = known.get(run_id) or Member.of(table[run_id], workdir)
            yield group, [known[run_id] for run_id in ids]


def write(found: Iterable[Row], workdir: Path) -> None:
    """Add rows that are not there yet to the table of `workdir`."""
    with Journal(workdir) as journal:
        for row in found:
            if row["run_id"] not in journal.finished_ids():
                journal.append(row)
        compact(workdir)
