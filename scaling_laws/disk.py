"""Files: reading one that may be anything, and making one last through a power cut."""

import errno
import hashlib
import os
from pathlib import Path
from typing import IO


def is_endless(path: Path) -> bool:
    """Whether there is something at `path` that is neither file nor folder: a pipe or a device may never end."""
    return path.exists() and not path.is_file() and not path.is_dir()


def read_file(path: Path) -> bytes:
    """What a file holds. Raises OSError with the path in it; for a pipe or a device too."""
    if "\0" in str(path):
        raise OSError(errno.EINVAL, "Its name holds the byte 0", str(path))
    if is_endless(path):
        raise OSError(errno.EINVAL, "Neither a file nor a folder", str(path))
    try:
        return path.read_bytes()
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def sha256(path: Path) -> str:
    """SHA-256 of a file of any size, in hexadecimal. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def replace_file(path: Path, data: bytes | memoryview, lasting: bool = True) -> None:
    """Write a file whole or not at all, and on the disk on return; unless `lasting` a power cut may lose or tear it."""
    partial = path.with_suffix(f".partial-{os.getpid()}")
    with partial.open("wb") as file:
        file.write(data)
        if lasting:
            file.flush()
            os.fsync(file.fileno())
    partial.replace(path)
    if lasting:
        sync_folder(path.parent)


def begin_sync(file: IO[bytes]) -> None:
    """Let the disk begin to write what a file holds so far, so that `sync_file` has less to wait for."""
    file.flush()
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # Linux writes before it forgets, and waits not


def sync_file(path: Path) -> None:
    """Make what was written to a file last. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Make a rename or a new name in `folder` last."""
    sync_file(folder)  # to the system a folder is a file
