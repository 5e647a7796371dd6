"""One command of a user in a forked child: what it said, how it ended, and what is wrong with that.

Forking a process that has imported everything already makes thousands of commands cheap; a child that hangs or dies
takes nothing with it.
"""

import dataclasses
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from scaling_laws import command

SECONDS = 40.0  # of the processor, all threads together: a plan of 100,000 runs takes 15, a busy machine is no hang
WAITING = 4.0  # times as long by the clock: for one that waits
MEMORY = 4 << 30  # bytes of address space
LONGEST = 2000  # characters of one clear line
OPENING = "error: "


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a command ended: its exit code (minus the signal that ended it), and what it wrote."""

    code: int
    out: str
    err: str

    def fault(self) -> str:
        """What is wrong with how it ended; nothing where it worked, or said in one clear line what was wrong."""
        if self.code == -signal.SIGPROF:
            return f"still running after {SECONDS:g} s of the processor"
        if self.code == -signal.SIGALRM:
            return f"still waiting after {WAITING * SECONDS:g} s"
        if "Traceback (most recent call last)" in self.err:
            return "a traceback"
        if self.code == 0:
            return "a warning of Python" if "Warning: " in self.err else ""
        if self.code != command.USAGE:
            return f"exit code {self.code}"
        lines = self.err.splitlines()
        if len(lines) != 1 or not lines[0].startswith(OPENING) or not self.err.endswith("\n"):
            return f"{len(lines)} lines on standard error instead of one that begins with {OPENING!r}"
        if len(self.err) > LONGEST or not lines[0].isprintable():
            return f"a line of {len(self.err)} characters, or one that a terminal would obey"
        return ""


def outcome(call: Callable[[], int], folder: Path) -> Outcome:
    """Calls `call` in a child of this process that ends after SECONDS; its output passes through files in `folder`."""
    out, err = folder / "stdout", folder / "stderr"
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _run(call, out, err)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return Outcome(code, *(path.read_text(errors="replace") for path in (out, err)))


def _run(call: Callable[[], int], out: Path, err: Path) -> None:
    """The child: never returns. The timers' own action ends it, whatever it is doing."""
    code = 1
    try:
        for number in (signal.SIGALRM, signal.SIGPROF):
            signal.signal(number, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        signal.setitimer(signal.ITIMER_REAL, WAITING * SECONDS)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        _redirect(out, err)
        code = call()
        sys.stdout.flush()
    except SystemExit as asked:
        code = asked.code if isinstance(asked.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code & 0xFF)


def _redirect(out: Path, err: Path) -> None:
    """Standard input empty, output and error into files, with the encodings that a user's Python has."""
    for number, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, err, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        handle = os.open(path, flags, 0o600)
        os.dup2(handle, number)
        os.close(handle)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 (the child's, to its end)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
