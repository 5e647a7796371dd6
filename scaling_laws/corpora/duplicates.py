"""Documents whose text another one has too, found on disk: a share of the hashes is in memory at a time.

Of equal documents the first one stays: by unit, then by its place there. That depends on the sources alone.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from scaling_laws import disk
from scaling_laws.corpora.scan import ENTRY, SCAN, saved
from scaling_laws.corpora.work import WORK

AT_ONCE = 2_000_000  # documents, about: 100 MB of hashes with what sorting needs
COPY = np.dtype([("unit", "<u4"), ("place", "<u4")])
COPIES = "copies"


def find(folder: Path, counts: Sequence[int], at_once: int = AT_ONCE, tell: Callable[[int], None] = print) -> int:
    """How many of the documents of all units, `counts` of each, are copies; which, sorted files say to the others here.

    Calls `tell` with the documents done so far.
    """
    shares = max(1, math.ceil(sum(counts) / at_once))
    bounds = [k * 2**64 // shares for k in range(shares + 1)]
    (folder / WORK / COPIES).mkdir(parents=True, exist_ok=True)
    for stale in (folder / WORK / COPIES).iterdir():
        stale.unlink()
    found, done = 0, 0
    for share, (low, high) in enumerate(itertools.pairwise(bounds)):
        entries, units = _between(folder, len(counts), low, high)
        copies = _copies(entries, units)
        disk.replace_file(folder / WORK / COPIES / f"{share:05d}.npy", saved(copies))
        found, done = found + len(copies), done + len(entries)
        tell(done)
    return found


def units(folder: Path) -> set[int]:
    """Numbers of the units that have copies."""
    paths = (folder / WORK / COPIES).glob("*.npy")
    return {number for path in paths for number in np.unique(np.load(path, allow_pickle=False)["unit"]).tolist()}


def of_unit(folder: Path, number: int) -> np.ndarray:
    """(n,) places of the copies in a unit, ascending, of which it keeps none."""
    found = []
    for path in sorted((folder / WORK / COPIES).glob("*.npy")):
        copies = np.load(path, mmap_mode="r", allow_pickle=False)
        first, last = np.searchsorted(copies["unit"], [number, number + 1])
        found.append(np.array(copies["place"][first:last]))
    return np.sort(np.concatenate(found)) if found else np.zeros(0, np.uint32)


def _between(folder: Path, n_units: int, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
    """Entries (n,) whose hashes begin within these bounds, and the unit (n,) of each."""
    parts, units = [np.zeros(0, ENTRY)], [np.zeros(0, np.uint32)]
    for number in range(n_units):
        entries = np.load(folder / WORK / SCAN / f"{number:05d}.npy", mmap_mode="r", allow_pickle=False)
        first = np.searchsorted(entries["high"], np.uint64(low))
        last = len(entries) if high == 2**64 else np.searchsorted(entries["high"], np.uint64(high))
        parts.append(np.array(entries[first:last]))
        units.append(np.full(last - first, number, np.uint32))
    return np.concatenate(parts), np.concatenate(units)


def _copies(entries: np.ndarray, units: np.ndarray) -> np.ndarray:
    """COPY entries of those that an earlier one equals, sorted."""
    order = np.lexsort((entries["place"], units, entries["low"], entries["high"]))
    high, low = entries["high"][order], entries["low"][order]
    again = order[1:][(high[1:] == high[:-1]) & (low[1:] == low[:-1])]
    found = np.empty(len(again), COPY)
    found["unit"], found["place"] = units[again], entries["place"][again]
    return np.sort(found, order=("unit", "place"))
