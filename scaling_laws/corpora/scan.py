"""The first pass over the documents: their hashes, for finding copies, and how they will be split.

Which split a document belongs to follows from the seed and its own hash alone, so it depends neither on the order of
the sources nor on who reads them: u = SHA-256(seed:hash) as a number in [0, 1) is held out below `heldout_fraction`
and for validation from 1 - `valid_fraction` on.
"""

import hashlib
import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from scaling_laws import disk
from scaling_laws.corpora import readers
from scaling_laws.corpora.work import Recipe, Work, is_file
from scaling_laws.tasks.task import SPLITS

SCAN = "scan"
ENTRY = np.dtype([("high", "<u8"), ("low", "<u8"), ("place", "<u4")])  # of a document: 128 bits of its hash, its place


class Tally:
    """What is found out about the documents of a unit, one after the other, none of them empty."""

    def __init__(self, work: Work):
        self.work = work
        self._content, self._words, self._text_bytes = hashlib.sha256(), bytearray(), 0
        self._counts: dict[str, int] = dict.fromkeys(SPLITS, 0)

    def add(self, raw: bytes) -> tuple[bytes, str]:
        """Counts a document: its SHA-256, its split."""
        digest = hashlib.sha256(raw).digest()
        split = split_of(digest, self.work.recipe)
        self._content.update(digest)
        self._words += digest[:16]
        self._counts[split] += 1
        self._text_bytes += len(raw)
        return digest, split

    def finish(self) -> dict[str, Any]:
        """{documents, text_bytes, content, hashes, train, valid, heldout}.

        `content` is a hash over the documents' hashes in their order, the numbers of the splits count copies too; the
        documents' entries, sorted, are left in a file with SHA-256 `hashes`. Raises OSError.
        """
        entries = saved(_entries(self._words))
        disk.replace_file(self.work.path(SCAN, ".npy"), entries, lasting=False)
        found = {"documents": len(self._words) // 16, "text_bytes": self._text_bytes} | self._counts
        return found | {"content": self._content.hexdigest(), "hashes": hashlib.sha256(entries).hexdigest()}


def scan(work: Work) -> dict[str, Any]:
    """Reads a unit: what `Tally` says of it, and how many documents are `empty`. Raises SourceError."""
    done = work.done(SCAN)
    if done and is_sound(work, done):
        return done
    tally, empty = Tally(work), 0
    for raw in readers.documents(work.unit, work.recipe.column):
        if raw:
            tally.add(raw)
        else:
            empty += 1
    return work.finish(SCAN, tally.finish() | {"empty": empty})


def is_sound(work: Work, seen: Mapping[str, Any]) -> bool:
    """Whether the entries are there that `Tally` told of."""
    return is_file(work.path(SCAN, ".npy"), str(seen["hashes"]))


def split_of(digest: bytes, recipe: Recipe) -> str:
    """The split of a document by its SHA-256: the same hash as `tasks.split` orders the documents of a text by."""
    place = _uniform(digest, recipe, 0)
    if place < recipe.heldout_fraction:
        return "heldout"
    return "valid" if place >= 1 - recipe.valid_fraction else "train"


def is_sampled(digest: bytes, recipe: Recipe, share: float) -> bool:
    """Whether a document is among a share of them all, drawn by its hash, whatever its split."""
    return _uniform(digest, recipe, 1) < share


def _uniform(digest: bytes, recipe: Recipe, word: int) -> float:
    """A number in [0, 1) of a document, from the given 53 bits of its shuffled hash."""
    mixed = hashlib.sha256(f"{recipe.split_seed}:{digest.hex()}".encode()).digest()
    return (int.from_bytes(mixed[8 * word : 8 * word + 8], "big") >> 11) / 2**53


def _entries(words: bytearray) -> np.ndarray:
    """Entries of documents in their order, from 16 bytes of the hash of each, sorted by hash and then by place."""
    halves = np.frombuffer(words, ">u8").reshape(-1, 2)
    entries = np.empty(len(halves), ENTRY)
    entries["high"], entries["low"], entries["place"] = halves[:, 0], halves[:, 1], np.arange(len(halves))
    return entries[np.lexsort((entries["place"], entries["low"], entries["high"]))]


def saved(array: np.ndarray) -> memoryview:
    """An array as the content of an .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getbuffer()
