"""Trains one run and adds its row to the runs table; a run that is settled there already is only shown.

    python -m experiments.train --workdir=runs/one --config.train.steps=500
    python -m experiments.train --workdir=runs/one --config=experiments/configs/demo.py --config.model.width=64

Stop it at any time: the same command goes on from the last checkpoint, which Ctrl-C writes first. Exit code 0 when
the run has finished, 3 when it went bad (diverged, dead, spiked: its row is kept), 130 after Ctrl-C, 75 after SIGTERM
(for a scheduler that starts it again), 2 for bad input. Registered forecasts that the run answers are graded.
"""

from pathlib import Path
from typing import Any

from experiments import cli, landed
from scaling_laws import command
from scaling_laws.config import RunConfig, identity, run_part
from scaling_laws.interrupts import Asked, interruptible
from scaling_laws.progress import Progress
from scaling_laws.units import of_row, reached
from scaling_laws.validation import check_task, validate_run

WENT_BAD = 3


def run() -> int:
    """The run that the command line asks for."""
    config, workdir = run_part(cli.config()), cli.workdir()
    validate_run(config)
    forecasts = landed.ledger_for(workdir)
    row = train_once(config, workdir)
    if isinstance(row, Asked):
        return command.stopped(row.terminated)
    print(summary(row))
    landed.tell(forecasts, workdir)
    return 0 if row["status"] == "finished" else WENT_BAD


def train_once(config: RunConfig, workdir: Path) -> dict[str, Any] | Asked:
    """The row of this run in the table of `workdir`: trained now, unless it has finished or diverged there before.

    Who asked, after Ctrl-C or SIGTERM, when a checkpoint has been written instead. Raises ConfigError when the task
    cannot be loaded or is not what it was, or the run is to keep its parameters and has finished without; TableError
    when another process holds `workdir`.
    """
    from scaling_laws.sweep import machine
    from scaling_laws.table import SETTLED, Journal, compact
    from scaling_laws.tasks import catalog, samples, unchanged
    from scaling_laws.train import saved

    task = catalog.load(config.task, machine.task_cache_folder())
    for note in task.notes:
        print(f"task: {note}")
    check_task(config, task.spec)
    samples.check(config, task.spec, task.unique_tokens)
    run_id = identity(config, task.content_hash)
    with Journal(workdir) as journal:
        saved.check_kept(journal.rows(), [(run_id, config)], workdir)
        for row in journal.rows():
            if row["run_id"] == run_id and row["status"] in SETTLED:
                print(f"{run_id}: {row['status']} already in {workdir}, not trained again")
                return row
        unchanged.check(journal.rows(), config.task, task.content_hash, workdir)
        from scaling_laws.train import loop
        from scaling_laws.train.programs import keep_compiled
        from scaling_laws.train.watch import Watch

        keep_compiled(machine.compile_cache_folder())

        try:
            with (
                interruptible() as asked,
                Bar(config.train.steps) as bar,
                Watch(workdir / "tensorboard" / run_id, bar.tell) as watch,
            ):
                row, curve = loop.train(config, task, workdir=workdir, stop=asked, watch=watch)
        except loop.StopRequested as stopped:
            print(stopped)
            return asked
        journal.append(row, curve)
        compact(workdir)
    return row


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
    cli.main(run)
