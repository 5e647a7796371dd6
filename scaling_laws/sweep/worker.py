"""One worker process: takes runs from a pipe, trains them, sends rows back. Never writes the runs table.

It is single-threaded on a CPU, keeps compiled programs on disk for the other workers and for the next start, and dies
with its parent.
"""

import ctypes
import os
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaling_laws.sweep.messages import At, Done, Failed, Job, Ready, Said, Setup, Stop, Stopped

if TYPE_CHECKING:
    from scaling_laws.tasks.catalog import Task

_PR_SET_PDEATHSIG = 1


def main(pipe: Connection, setup: Setup) -> None:
    """The body of the process, from start to the parent's Stop or end."""
    _die_with(setup.parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; what it means, the parent decides
    if setup.core is not None:
        os.sched_setaffinity(0, {setup.core})
    mailbox = Mailbox(pipe)
    try:
        _serve(mailbox, setup)
    except (BrokenPipeError, EOFError, ConnectionResetError):
        sys.exit(1)  # the parent is gone: nobody to tell


class Mailbox:
    """The worker's end of the pipe."""

    def __init__(self, pipe: Connection):
        self.pipe = pipe
        self.stopped = False

    def send(self, message: Any) -> None:
        """Send a message to the parent."""
        self.pipe.send(message)

    def next_job(self) -> Job | None:
        """Wait for a run to do; None when asked to stop."""
        if self.stopped:
            return None
        message = self.pipe.recv()
        return message if isinstance(message, Job) else None

    def stop(self) -> bool:
        """Whether the parent asked for an end, or has ended itself."""
        if not self.stopped and self.pipe.poll():
            try:
                self.stopped = isinstance(self.pipe.recv(), Stop)
            except (EOFError, ConnectionResetError):
                self.stopped = True
        return self.stopped


def _die_with(parent: int) -> None:
    """Have the system kill this process when its parent ends, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the line above
        sys.exit(1)


def _serve(mailbox: Mailbox, setup: Setup) -> None:
    import jax

    from scaling_laws.tasks import catalog

    jax.config.update("jax_compilation_cache_dir", setup.programs)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    task = catalog.load(setup.task, Path(setup.cache))
    mailbox.send(Ready())
    while job := mailbox.next_job():
        mailbox.send(_outcome(job, task, mailbox, setup))


def _outcome(job: Job, task: "Task", mailbox: Mailbox, setup: Setup) -> Done | Failed | Stopped:
    from scaling_laws.train import loop

    workdir = Path(setup.workdir)
    try:
        row, curve = _train(job, task, mailbox, setup.name, workdir)
    except loop.StopRequested:
        return Stopped(job.run_id)
    except (BrokenPipeError, ConnectionResetError):
        raise
    except Exception as error:  # whatever a run raises is the run's result: a row that says so
        _log(workdir, job.run_id)
        message = " ".join(str(error).split())[:300]
        return Failed(job.run_id, f"{type(error).__name__}: {message}" if message else type(error).__name__)
    return Done(job.run_id, row, curve)


def _train(job: Job, task: "Task", mailbox: Mailbox, name: str, workdir: Path) -> tuple[dict, list[dict]]:
    from scaling_laws.train import loop
    from scaling_laws.train.watch import Watch

    with Watch(workdir / "tensorboard" / job.run_id, lambda step: mailbox.send(At(job.run_id, step))) as watch:
        return loop.train(
            job.run,
            task,
            workdir=workdir,
            budget=job.budget,
            purpose=job.purpose,
            worker=name,
            say=lambda line: mailbox.send(Said(line)),
            watch=watch,
            stop=mailbox.stop,
        )


def _log(workdir: Path, run_id: str) -> None:
    """Keep the traceback where the reason in the table can be looked up."""
    folder = workdir / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{run_id}.log").write_text(traceback.format_exc())
