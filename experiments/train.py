r"""Trains one run and adds its row to the runs table; a run that is settled there already is only shown.

    python -m experiments.train --workdir=runs/one --config.train.steps=500
    python -m experiments.train --workdir=runs/one --config=experiments/configs/demo.py --config.model.width=64

Stop it at any time: the same command goes on from the last checkpoint, which Ctrl-C writes first. Exit code 0 when
the run has finished, 3 when it went bad (diverged, dead, spiked: its row is kept), 130 after Ctrl-C, 75 after SIGTERM
(for a scheduler that starts it again), 2 for bad input. Registered forecasts that the run answers are graded.

One model on many hosts: the same command on each, with a --workdir that all share,

    python -m experiments.train --workdir=/shared/one --coordinator=host0:9911 --num_processes=2 --process_id=0

with train.data_devices x train.fsdp_devices all devices of all processes; or as tasks of srun with
--cluster=slurm, or placed by Ray: --cluster=ray --num_processes=2. When one is killed the others say so and end within
ten seconds, with 75.
"""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments import cli, landed, processes
from scaling_laws import command
from scaling_laws.config import RunConfig, identity, run_part
from scaling_laws.hosts import join, shared
from scaling_laws.hosts.team import ALONE, Team
from scaling_laws.interrupts import Asked, interruptible
from scaling_laws.progress import Progress
from scaling_laws.units import of_row, reached
from scaling_laws.validation import check_task, validate_run

if TYPE_CHECKING:
    from scaling_laws.table import Journal
    from scaling_laws.train.watch import Watch

WENT_BAD = 3


def run() -> int:
    """The run that the command line asks for."""
    config, workdir = run_part(cli.config()), cli.workdir()
    validate_run(config)
    forecasts = landed.ledger_for(workdir)
    if processes.on_ray():
        return processes.start_on_ray(sys.argv[1:])
    with join.joined(processes.place(), workdir / "logs", processes.join_seconds()) as team:
        row = train_once(config, workdir, team)
    if isinstance(row, Asked):
        return command.stopped(row.terminated or not row.heard)  # unheard: another process was asked
    if team.first:
        print(summary(row))
        landed.tell(forecasts, workdir)
    return 0 if row["status"] == "finished" else WENT_BAD


def train_once(config: RunConfig, workdir: Path, team: Team = ALONE) -> dict[str, Any] | Asked:
    """The row of this run in the table of `workdir`: trained now, unless it has finished or diverged there before.

    Who asked, after Ctrl-C or SIGTERM, when a checkpoint has been written instead. The processes of a `team` all call
    it; the first one writes and prints. Raises ConfigError when the task cannot be loaded or is not what it was, or the
    run is to keep its parameters and has finished without; TableError when another process holds `workdir`; Disagreed
    when the processes were not given the same.
    """
    from scaling_laws.sweep import machine
    from scaling_laws.table import compact
    from scaling_laws.tasks import catalog, samples

    say = print if team.first else _nothing
    task = catalog.load(config.task, machine.task_cache_folder())
    for note in task.notes:
        say(f"task: {note}")
    check_task(config, task.spec)
    samples.check(config, task.spec, task.unique_tokens)
    run_id = identity(config, task.content_hash)
    with contextlib.ExitStack() as stack:
        journal = stack.enter_context(_journal(workdir)) if team.first else None
        if team.several:
            team.same("the run by its settings and data", run_id)
            shared.check(workdir, team)
        if row := team.meet(journal and _settled(journal, config, run_id, task.content_hash, workdir))[0]:
            say(f"{run_id}: {row['status']} already in {workdir}, not trained again")
            return row
        from scaling_laws.train import loop
        from scaling_laws.train.programs import keep_compiled

        keep_compiled(machine.compile_cache_folder())
        asked = stack.enter_context(interruptible())
        watch = stack.enter_context(_watch(config, workdir, run_id)) if team.first else None
        try:
            row, curve = loop.train(config, task, workdir=workdir, stop=asked, watch=watch, say=say, team=team)
        except loop.StopRequested as stopped:
            say(stopped)
            return asked
        if journal:
            journal.append(row, curve)
            compact(workdir)
    return row


def _nothing(*_: object) -> None:
    """Says nothing: the first process does."""


def _journal(workdir: Path) -> "Journal":
    from scaling_laws.table import Journal

    return Journal(workdir)


def _settled(
    journal: "Journal", config: RunConfig, run_id: str, corpus_hash: str, workdir: Path
) -> dict[str, Any] | None:
    """The row of a run that is not to be trained again. Raises ConfigError as `train_once`."""
    from scaling_laws.table import SETTLED
    from scaling_laws.tasks import unchanged
    from scaling_laws.train import saved

    saved.check_kept(journal.rows(), [(run_id, config)], workdir)
    for row in journal.rows():
        if row["run_id"] == run_id and row["status"] in SETTLED:
            return row
    unchanged.check(journal.rows(), config.task, corpus_hash, workdir)
    return None


@contextlib.contextmanager
def _watch(config: RunConfig, workdir: Path, run_id: str) -> Iterator["Watch"]:
    """TensorBoard and the progress line of a run."""
    from scaling_laws.train.watch import Watch

    with Bar(config.train.steps) as bar, Watch(workdir / "tensorboard" / run_id, bar.tell) as watch:
        yield watch


class Bar:
    """The progress line of one run; it begins at the step where the run begins or goes on."""

    def __init__(self, steps: int):
        self._steps, self._line = steps, None

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *_: object) -> None:
        if self._line:
            self._line.close()

    def tell(self, step: int) -> None:
        """The run has reached a step."""
        self._line = self._line or Progress(self._steps, "steps", start=step)
        self._line.update(step)


def summary(row: dict[str, Any]) -> str:
    """One line on a run: what it reached, and N, D, C and the seconds it took."""
    data = f"D {row['tokens']:,} {of_row(row).data}"
    size = f"N {row['n_params']:,}, {data}, C {row['flops']:.3g} FLOPs, {row['wall_seconds']:.1f} s"
    if row["status"] != "finished":
        return f"{row['run_id']}: {row['status']} at step {row['steps_done']}: {row['reason']} ({size})"
    return f"{row['run_id']}: {reached(row)} ({size})"


if __name__ == "__main__":
    join.finish(lambda: cli.call(run, sys.argv))
