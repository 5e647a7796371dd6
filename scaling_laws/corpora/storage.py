"""Files of this machine, and of any file system that fsspec knows by its URL.

A place is (root, path): the root is empty for this machine, else the URL that was given.
"""

import contextlib
import dataclasses
import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from scaling_laws.corpora.unit import SourceError
from scaling_laws.disk import is_endless

BUFFER = 1 << 20


def is_url(source: str) -> bool:
    """Whether a source is for fsspec: `s3://...`, `https://...`, `zip://...::...`."""
    return "://" in source


@dataclasses.dataclass(frozen=True)
class Found:
    """A source: its files with their sizes, by name, and whether it is itself a file, not a folder of them."""

    source: str
    root: str
    files: tuple[tuple[str, int], ...]
    is_file: bool


def found(source: str) -> Found:
    """What there is at a place; hidden files and folders are passed over.

    Raises SourceError, in one line, for a place that is not there or cannot be read.
    """
    if is_url(source):
        return _remote(source)
    place = Path(os.path.expanduser(source))
    if is_endless(place):
        raise SourceError(f"--source: {source} is neither a file nor a folder; allowed: those, and URLs")
    if not place.exists():
        raise SourceError(f"--source: {source} does not exist; allowed: a file, a folder or a URL")
    if place.is_file():
        return Found(source, "", ((str(place), place.stat().st_size),), True)
    return Found(source, "", tuple(sorted((str(path), _size(path)) for path in _walk(place))), False)


def _walk(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise SourceError(f"--source: {error.filename} cannot be read ({error.strerror})")

    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name) for name in names if not name.startswith("."))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:  # a link to nothing
        raise SourceError(f"--source: {path} cannot be read ({error.strerror})") from None


def _remote(url: str) -> Found:
    with told(url):
        system, path = _system(url)
        if system.isfile(path):
            return Found(url, url, ((path, system.size(path) or 0),), True)
        listed = system.find(path, detail=True)
        shown = {name: about for name, about in listed.items() if not _hidden(name.removeprefix(path))}
        files = tuple(sorted((name, about["size"] or 0) for name, about in shown.items() if about["type"] == "file"))
    if not files:
        raise SourceError(f"--source: {url} does not exist or is empty; allowed: a file, a folder or a URL")
    return Found(url, url, files, False)


def _hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split("/"))


def _system(url: str) -> tuple[Any, str]:
    return _system_of(os.getpid(), url)  # one that this process has opened: a copied process must not share its files


@functools.lru_cache(maxsize=16)
def _system_of(process: int, url: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise SourceError(f"--source: {url} needs the package fsspec; allowed: scripts/setup --extra data") from None
    return url_to_fs(url)


@contextlib.contextmanager
def told(name: str) -> Iterator[None]:
    """What anybody's file system raises inside, as a SourceError in one line."""
    try:
        yield
    except (SourceError, KeyboardInterrupt):
        raise
    except FileNotFoundError:
        raise SourceError(f"--source: {name} does not exist; allowed: a file, a folder or a URL") from None
    except OSError as error:
        raise SourceError(f"--source: {name} cannot be read ({error.strerror or error})") from None
    except Exception as error:  # every backend has exceptions of its own
        raise SourceError(f"--source: {name} cannot be read ({type(error).__name__}: {error})") from None


def opened(root: str, path: str) -> IO[bytes]:
    """A file to read, which can seek. Raises SourceError."""
    with told(path):
        if root:
            return _system(root)[0].open(path, "rb")
        return open(path, "rb", buffering=BUFFER)  # the caller closes it


def whole(root: str, path: str) -> bytes:
    """What a file holds. Raises SourceError."""
    with opened(root, path) as file, told(path):
        return file.read()


def stamp(root: str, path: str) -> str:
    """What changes when a file does, as far as its file system tells."""
    with told(path):
        if not root:
            about = os.stat(path)
            return f"{about.st_size} {about.st_mtime_ns}"
        found = _system(root)[0].info(path)
        return f"{found.get('size')} {found.get('ETag') or found.get('mtime') or found.get('LastModified') or ''}"
