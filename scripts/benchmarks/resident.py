"""The resident memory of a command and all its processes together, looked at while it runs. Linux alone: else nothing.

The system's own account (ru_maxrss) is that of the largest process, and no less than that of the one that started it.
"""

import contextlib
import dataclasses
import os
import threading
from collections.abc import Iterator
from pathlib import Path

PROCESSES = Path("/proc")
EVERY = 0.02  # seconds


@dataclasses.dataclass
class Peak:
    """The most that was seen."""

    n_bytes: int = 0


@contextlib.contextmanager
def watched(word: str) -> Iterator[Peak]:
    """Looks at the children of this process that have `word` in their command line, and at all that they start."""
    peak, ended = Peak(), threading.Event()

    def look() -> None:
        while not ended.wait(EVERY):
            commands = [pid for pid in _children(os.getpid()) if word.encode() in _read(pid, "cmdline")]
            peak.n_bytes = max(peak.n_bytes, sum(map(_family, commands)))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


def _family(pid: int) -> int:
    """Resident bytes of a process and its descendants."""
    pages = _read(pid, "statm").split()[1:2]
    return sum(map(int, pages)) * os.sysconf("SC_PAGE_SIZE") + sum(map(_family, _children(pid)))


def _children(pid: int) -> list[int]:
    threads = _listed(PROCESSES / str(pid) / "task")
    return [int(child) for thread in threads for child in _read(pid, f"task/{thread}/children").split()]


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:  # it has ended
        return []


def _read(pid: int, name: str) -> bytes:
    try:
        return (PROCESSES / str(pid) / name).read_bytes()
    except OSError:
        return b""
