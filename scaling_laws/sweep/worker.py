"""One worker process: takes runs from a pipe, trains them, sends rows back. Never writes the runs table.

It is single-threaded on a CPU, keeps compiled programs on disk for the other workers and for the next start, and dies
with its parent.
"""

import contextlib
import errno
import os
import signal
import sys
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from scaling_laws.config import TaskConfig
from scaling_laws.processes import die_with_parent
from scaling_laws.sweep.messages import (
    At,
    Done,
    Failed,
    Job,
    PackMember,
    Ready,
    Said,
    Setup,
    Stop,
    Stopped,
    Trial,
    Tried,
    Unable,
)

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # a disk that takes no more, from any run

if TYPE_CHECKING:
    from scaling_laws.tasks.catalog import Task
    from scaling_laws.train.watch import Watch


def main(pipe: Connection, setup: Setup) -> None:
    """The body of the process, from start to the parent's Stop or end."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; what it means, the parent decides
    if setup.core is not None:
        os.sched_setaffinity(0, {setup.core})
    mailbox = Mailbox(pipe)
    try:
        serve(mailbox, setup)
    except (BrokenPipeError, EOFError, ConnectionResetError):
        sys.exit(1)  # the parent is gone: nobody to tell


class Post(Protocol):
    """How a worker hears of its runs and says what becomes of them, wherever it is."""

    def send(self, message: Any) -> None:
        """Send a message to the parent."""
        ...

    def next_job(self) -> Job | Trial | None:
        """Wait for runs to do or to try out; None when asked to stop."""
        ...

    def stop(self) -> bool:
        """Whether the parent asked for an end, or has ended itself."""
        ...


class Pipe(Protocol):
    """What a mailbox needs of a connection."""

    def send(self, message: Any, /) -> None:
        """Send a message."""
        ...

    def recv(self) -> Any:
        """Wait for a message."""
        ...

    def poll(self) -> bool:
        """Whether a message is there."""
        ...


class Mailbox:
    """The worker's end of the pipe: a `Post`."""

    def __init__(self, pipe: Pipe):
        self.pipe = pipe
        self.stopped = False

    def send(self, message: Any) -> None:
        """As `Post`."""
        self.pipe.send(message)

    def next_job(self) -> Job | Trial | None:
        """As `Post`."""
        if self.stopped:
            return None
        message = self.pipe.recv()
        return message if isinstance(message, Job | Trial) else None

    def stop(self) -> bool:
        """As `Post`."""
        if not self.stopped and self.pipe.poll():
            try:
                self.stopped = isinstance(self.pipe.recv(), Stop)
            except (EOFError, ConnectionResetError):
                self.stopped = True
        return self.stopped


class ChangedText(Exception):
    """The text is not the one that the sweep began with."""


class Tasks:
    """The tasks of a worker's runs, each loaded when the first run needs it; all of one text."""

    def __init__(self, cache: Path, corpus_hash: str):
        self.cache, self.corpus_hash = cache, corpus_hash
        self._loaded: dict[TaskConfig, Task] = {}

    def of(self, wanted: TaskConfig) -> "Task":
        """The task. Raises ChangedText, and ConfigError where it cannot be loaded."""
        from scaling_laws.tasks import catalog

        if wanted not in self._loaded:
            task = catalog.load(wanted, self.cache)
            if task.content_hash != self.corpus_hash:
                raise ChangedText(f"task.path: {wanted.path} has changed since the sweep began; allowed: the same text")
            self._loaded[wanted] = task
        return self._loaded[wanted]


def serve(mailbox: Post, setup: Setup) -> None:
    """Load the task, say `Ready`, and do job after job until the mailbox has no more."""
    from scaling_laws.train.programs import keep_compiled

    keep_compiled(Path(setup.programs))
    tasks = Tasks(Path(setup.cache), setup.corpus_hash)
    try:
        tasks.of(setup.task)
    except ChangedText as changed:
        mailbox.send(Unable(str(changed)))
        return
    mailbox.send(Ready(time.monotonic() - setup.started))
    while job := mailbox.next_job():
        outcome = (
            _tried(job, tasks, Path(setup.workdir)) if isinstance(job, Trial) else _outcome(job, tasks, mailbox, setup)
        )
        if outcome:
            mailbox.send(outcome)


def _tried(trial: Trial, tasks: Tasks, workdir: Path) -> Tried:
    from scaling_laws.train import trial as trials

    def rate(pack: tuple[int, str, int]) -> float:
        try:
            return trials.rate(trial.run, tasks.of(trial.run.task), *pack, workdir=workdir)
        except Exception:  # no memory for so many, above all: then they are not to be packed so
            return 0.0

    return Tried(tuple(rate(pack) for pack in trial.packs))


def _outcome(job: Job, tasks: Tasks, mailbox: Post, setup: Setup) -> Failed | Stopped | Unable | None:
    """Do a job, its rows sent as they come; what else there is to say of it."""
    from scaling_laws.train import loop

    workdir = Path(setup.workdir)
    try:
        _train(job, tasks, mailbox, setup.name, workdir)
    except loop.StopRequested:
        return Stopped()
    except ChangedText as changed:
        return Unable(str(changed))
    except (BrokenPipeError, ConnectionResetError):
        raise
    except OSError as error:
        if error.errno in FULL:
            return Unable(f"{error.filename or workdir}: {error.strerror}; what is finished is kept")
        return _failed(job, workdir, error)
    except Exception as error:  # whatever a run raises is the run's result: a row that says so
        return _failed(job, workdir, error)
    return None


def _failed(job: Job, workdir: Path, error: Exception) -> Failed:
    for member in job.members:
        _log(workdir, member.run_id)
    message = " ".join(str(error).split())[:300]
    return Failed(f"{type(error).__name__}: {message}" if message else type(error).__name__)


def _train(job: Job, tasks: Tasks, mailbox: Post, name: str, workdir: Path) -> None:
    """Train the job's runs and send each row as its run ends."""
    from scaling_laws.train import loop
    from scaling_laws.train.member import Order

    with contextlib.ExitStack() as stack:
        watches = [stack.enter_context(_watch(one, mailbox, workdir)) for one in job.members]
        orders = [
            Order(one.run, one.budget, one.purpose, watch, one.lr_source, one.keep_trunk, one.arm)
            for one, watch in zip(job.members, watches, strict=True)
        ]
        ended = loop.train_pack(
            orders,
            tasks.of(job.members[0].run.task),
            workdir=workdir,
            strategy=job.strategy,
            pack_devices=job.pack_devices,
            worker=name,
            say=lambda line: mailbox.send(Said(line)),
            stop=mailbox.stop,
        )
        for row, curve in ended:
            mailbox.send(Done(row["run_id"], row, curve))


def _watch(member: PackMember, mailbox: Post, workdir: Path) -> "Watch":
    from scaling_laws.train.watch import Watch

    run_id = member.run_id
    return Watch(workdir / "tensorboard" / run_id, lambda step: mailbox.send(At(run_id, step)))


def _log(workdir: Path, run_id: str) -> None:
    """Keep the traceback where the reason in the table can be looked up."""
    folder = workdir / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{run_id}.log").write_text(traceback.format_exc())
