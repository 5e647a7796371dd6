"""The folder of a corpus: whether it may be made there, by whom, and from what.

Its `plan.json` holds a hash of what the result depends on, so that nothing goes on with the corpus of something else.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import importlib.metadata
import json
import os
from collections.abc import Iterator
from pathlib import Path

from scaling_laws import disk, sealed
from scaling_laws.corpora import storage
from scaling_laws.corpora.unit import SourceError
from scaling_laws.corpora.work import Order
from scaling_laws.fields import ConfigError
from scaling_laws.tasks import manifest

PLAN = "plan.json"


def take(order: Order, folder: Path) -> bool:
    """Whether the folder is new; the hash of the plan is left in it. Raises ConfigError where it holds
    anything but a corpus of the same plan."""
    plan = _plan(order)
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--corpus: {folder} is a file; allowed: a folder, made when absent")
    named = sorted(folder.iterdir()) if folder.exists() else []
    there = [path for path in named if ".partial-" not in path.name]  # of a kill before anything else was there
    kept = folder / PLAN
    if there and not kept.exists():
        raise ConfigError(f"--corpus: {folder} holds {there[0].name}; allowed: an empty folder, or one to go on with")
    if there:
        if _planned(folder) != plan:
            raise ConfigError(f"--corpus: {folder} is of other sources or settings; allowed: another folder")
        return False
    folder.mkdir(parents=True, exist_ok=True)
    disk.replace_file(kept, sealed.seal({"plan": plan}))
    return True


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Raises ConfigError while another process is at work in the folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise ConfigError(f"--corpus: {folder} is being made by another process; allowed: another folder") from None
    except OSError:  # a file system without locks
        pass
    try:
        yield
    finally:
        os.close(handle)


def check_sources(order: Order, folder: Path) -> None:
    """Raises SourceError where a file is no longer what it was in the beginning."""
    if _plan(order) != _planned(folder):
        raise SourceError("--source: a file of it has changed while it was read; allowed: text that stays")


def _plan(order: Order) -> str:
    """Hash of what the result depends on, files by their size and time of change."""
    places = {(unit.root, path) for unit in order.units if unit.kind != "streamed" for path in unit.paths}
    stamps = [(root, path, storage.stamp(root, path)) for root, path in sorted(places)]
    facts = [dataclasses.asdict(order), stamps, manifest.FORMAT, importlib.metadata.version("tokenizers")]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _planned(folder: Path) -> str | None:
    """The hash of the plan that a folder was made for; None where that is damaged."""
    found = sealed.unseal((folder / PLAN).read_bytes().removesuffix(b"\n"))
    return str(found["plan"]) if found else None
