"""What libraries below Python print: pages about peers that are gone, aside into a file, so that a line of ours is
seen."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def aside(path: Path) -> Iterator[None]:
    """The file descriptors 1 and 2 write to `path` inside, `sys.stdout` and `sys.stderr` where they wrote before.

    Gloo prints on the first, JAX's service aborts with a stack on the second. A file that stays empty is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    before = sys.stdout, sys.stderr
    kept = [os.dup(number) for number in (1, 2)]
    for stream in before:
        stream.flush()
    try:
        sys.stdout, sys.stderr = (
            os.fdopen(os.dup(number), "w", buffering=1, errors="backslashreplace") for number in kept
        )
        for number in (1, 2):
            os.dup2(file, number)
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before
        for number, old in zip((1, 2), kept, strict=True):
            os.dup2(old, number)
            os.close(old)
        os.close(file)
        drop_empty(path)


def drop_empty(path: Path) -> None:
    """Remove a file with nothing in it."""
    with contextlib.suppress(OSError):
        if not path.stat().st_size:
            path.unlink()
