"""The first pass over the documents: their hashes, for finding copies, and how they will be split.

Which split a document belongs to follows from the seed and its own hash alone, so it depends neither on the order of
the sources nor on who reads them: u = SHA-256(seed:hash) as a number in [0, 1) is held out below `heldout_fraction`
and for validation from 1 - `valid_fraction` on.
"""

import hashlib
import io
from typing import Any

import numpy as np

from scaling_laws import disk
from scaling_laws.corpora import readers
from scaling_laws.corpora.work import Recipe, Work, is_file
from scaling_laws.tasks.task import SPLITS

SCAN = "scan"
ENTRY = np.dtype([("high", "<u8"), ("low", "<u8"), ("place", "<u4")])  # of a document: 128 bits of its hash, its place


def scan(work: Work) -> dict[str, Any]:
    """Reads a unit: {documents, empty, text_bytes, content, hashes, train, valid, heldout}.

    `content` is a hash over the documents' hashes in their order, the numbers of the splits count copies too; the
    documents' entries, sorted, are left in a file with SHA-256 `hashes`. Raises SourceError.
    """
    done = work.done(SCAN)
    if done and is_file(work.path(SCAN, ".npy"), str(done["hashes"])):
        return done
    content, words, empty, text_bytes = hashlib.sha256(), [], 0, 0
    counts: dict[str, int] = dict.fromkeys(SPLITS, 0)
    for raw in readers.documents(work.unit, work.recipe.column):
        if not raw:
            empty += 1
            continue
        digest = hashlib.sha256(raw).digest()
        content.update(digest)
        words.append(digest[:16])
        counts[split_of(digest, work.recipe)] += 1
        text_bytes += len(raw)
    entries = saved(_entries(words))
    disk.replace_file(work.path(SCAN, ".npy"), entries)
    found = {"documents": len(words), "empty": empty, "text_bytes": text_bytes, "content": content.hexdigest()}
    return work.finish(SCAN, found | counts | {"hashes": hashlib.sha256(entries).hexdigest()})


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


def _entries(words: list[bytes]) -> np.ndarray:
    """Entries of documents in their order, sorted by hash and then by place."""
    halves = np.frombuffer(b"".join(words), ">u8").reshape(-1, 2)
    entries = np.empty(len(words), ENTRY)
    entries["high"], entries["low"], entries["place"] = halves[:, 0], halves[:, 1], np.arange(len(words))
    return entries[np.lexsort((entries["place"], entries["low"], entries["high"]))]


def saved(array: np.ndarray) -> bytes:
    """An array as the content of an .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
