"""Trains one run and adds its row to the runs table; a run that has finished there already is only shown.

    python -m experiments.train --workdir=runs/one --config.train.steps=500
    python -m experiments.train --workdir=runs/one --config=experiments/configs/demo.py --config.model.width=64

Stop it at any time: the same command goes on from the last checkpoint, which Ctrl-C writes first. Exit code 0 when
the run has finished, 3 when it diverged (its row is kept), 130 after Ctrl-C, 2 for bad input.
"""

import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from experiments import cli
from scaling_laws.command import INTERRUPTED
from scaling_laws.config import RunConfig, identity, run_part, validate_run

DIVERGED = 3


def run() -> int:
    """The run that the command line asks for."""
    config, workdir = run_part(cli.config()), cli.workdir()
    validate_run(config)
    row = train_once(config, workdir)
    if row is None:
        return INTERRUPTED
    print(summary(row))
    return 0 if row["status"] == "finished" else DIVERGED


def train_once(config: RunConfig, workdir: Path) -> dict[str, Any] | None:
    """The row of this run in the table of `workdir`: trained now, unless it has finished there before.

    None after Ctrl-C, when a checkpoint has been written instead. Raises ConfigError when the task cannot be loaded,
    TableError when another process holds `workdir`.
    """
    from scaling_laws.table import Journal, compact
    from scaling_laws.tasks import catalog

    task = catalog.load(config.task, workdir / "cache")
    run_id = identity(config, task.content_hash)
    with Journal(workdir) as journal:
        if run_id in journal.finished_ids():
            print(f"{run_id}: finished already in {workdir}, not trained again")
            return next(row for row in journal.rows() if row["run_id"] == run_id)
        from scaling_laws.train import loop

        try:
            with interruptible() as asked:
                row, curve = loop.train(config, task, workdir=workdir, stop=asked)
        except loop.StopRequested as stopped:
            print(stopped)
            return None
        journal.append(row, curve)
        compact(workdir)
    return row


@contextlib.contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """A question that the first Ctrl-C turns to yes; the second one ends the process at once."""
    asked: list[bool] = []

    def note(*_: object) -> None:
        asked.append(True)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)


def summary(row: dict[str, Any]) -> str:
    """One line on a run: what it reached, and N, D, C and the seconds it took."""
    size = f"N {row['n_params']:,}, D {row['tokens']:,} tokens, C {row['flops']:.3g} FLOPs, {row['wall_seconds']:.1f} s"
    if row["status"] != "finished":
        return f"{row['run_id']}: {row['status']} at step {row['steps_done']}: {row['reason']} ({size})"
    loss = f"loss {row['loss']:.4f} ± {row['loss_se']:.4f} nats/token, {row['bits_per_byte']:.4f} bits/byte"
    return f"{row['run_id']}: {loss} ({size})"


if __name__ == "__main__":
    cli.main(run)
