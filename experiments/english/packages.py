"""Packages in a folder of their own, by the clients that installed everything else: pip, npm, apt.

Nothing is installed into the system or into this environment, no host is named: the clients ask where they are set up
to ask.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

SECONDS = 900  # that a client may take


class PackageError(RuntimeError):
    """A package that cannot be had here; the message says why, in one line."""


def python(name: str, folder: Path) -> None:
    """A package of the Python index, without what it needs to run. Raises PackageError."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--no-deps", "--no-compile", "--target", str(folder), name], folder)


def node(name: str, folder: Path) -> None:
    """A package of npm. Raises PackageError."""
    npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder)]
    _run([*npm, name], folder)


def debian(name: str, folder: Path) -> None:
    """The files of a package of Debian, unpacked; root is not needed. Raises PackageError."""
    _run(["apt-get", "download", name], folder)
    (archive,) = folder.glob("*.deb")
    _run(["dpkg-deb", "--extract", str(archive), str(folder)], folder)
    archive.unlink()


CLIENTS: dict[str, Callable[[str, Path], None]] = {"python": python, "node": node, "debian": debian}


def fetch(client: str, name: str, cache: Path) -> Path:
    """The folder with the files of a package, got now unless it is there. Raises PackageError."""
    folder = cache / f"{client}-{name}"
    if folder.exists():
        return folder
    partial = cache / f".{client}-{name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        CLIENTS[client](name, partial)
    except PackageError:
        shutil.rmtree(partial)
        raise
    partial.rename(folder)
    return folder


def _run(words: Sequence[str], folder: Path) -> None:
    quiet = os.environ | {"NO_COLOR": "1"}
    try:
        done = subprocess.run(
            words, cwd=folder, env=quiet, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS
        )
    except FileNotFoundError:
        raise PackageError(f"{words[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise PackageError(f"{words[0]} took longer than {SECONDS} s") from None
    if done.returncode:
        said = [line for line in (done.stderr or done.stdout).strip().splitlines() if line.strip()]
        raise PackageError(f"{Path(words[0]).name} ended with {done.returncode}: {said[-1] if said else 'no message'}")
