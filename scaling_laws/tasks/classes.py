"""What tasks share that tell classes apart: folders with a sub-folder of files a class, notes."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scaling_laws.config import ConfigError, nearest

NAMED = 100  # classes that a note names


@dataclasses.dataclass(frozen=True)
class Files:
    """`paths` and `targets` (n,) int32 by class and name, both sorted; `names` of the classes; `notes` in one line."""

    paths: tuple[Path, ...]
    targets: np.ndarray
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def folder(path: str, allowed: str, shipped: Sequence[str] = ()) -> Path:
    """The folder that `task.path` names. Raises ConfigError, with the nearest of its neighbours and of `shipped`."""
    place = Path(os.path.expanduser(path))
    if "\0" in path or not os.path.lexists(place):
        siblings = os.listdir(place.parent) if os.access(place.parent, os.R_OK) and place.parent.is_dir() else []
        near = nearest(place.name, [*siblings, *shipped])
        raise ConfigError(f"task.path: {path!r} does not exist; allowed: {allowed}{near}")
    if not os.path.isdir(place):
        raise ConfigError(f"task.path: {path} is no folder; allowed: {allowed}")
    return place


def files(place: Path, suffixes: Sequence[str], what: str) -> Files:
    """The files that end in one of `suffixes` (in any case) in each sub-folder of `place`: its name is their class.

    Hidden files and folders are passed over, and so are files of other kinds, which a note counts. `what` is what a
    file holds, in the plural. Raises ConfigError for fewer than two classes or one without a file.
    """
    inner = [entry for entry in _visible(place) if os.path.isdir(entry)]
    if len(inner) < 2:
        raise ConfigError(
            f"task.path: {place} has {len(inner)} sub-folders; allowed: two or more, one for each class, with {what} "
            f"({', '.join(suffixes)})"
        )
    paths: list[Path] = []
    targets: list[int] = []
    others: list[str] = []
    for target, entry in enumerate(inner):
        found = _visible(entry)
        fitting = [file for file in found if file.suffix.lower() in suffixes and not os.path.isdir(file)]
        if not fitting:
            raise ConfigError(
                f"task.path: {entry} holds no {what}; allowed: one or more ({', '.join(suffixes)}) for each class"
            )
        taken = set(fitting)
        others += [f"{entry.name}/{file.name}" for file in found if file not in taken]
        paths += fitting
        targets += [target] * len(fitting)
    notes = (
        (f"{len(others)} files or folders left out, not {what} by their names: {_some([*map(_printable, others)], 3)}",)
        if others
        else ()
    )
    return Files(tuple(paths), np.array(targets, np.int32), tuple(entry.name for entry in inner), notes)


def note(names: Sequence[str]) -> str:
    """The first hundred classes in one line, by number and, where they have another one, by name."""
    numbered = [name if name == str(number) else f"{number} {_printable(name)}" for number, name in enumerate(names)]
    return f"classes: {_some(numbered, NAMED)}"


def _visible(place: Path) -> list[Path]:
    try:
        return sorted(entry for entry in place.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise ConfigError(f"task.path: {error.filename} cannot be read ({error.strerror})") from None


def _some(names: list[str], most: int) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def _printable(name: str) -> str:
    return name if name.isprintable() else ascii(name)
