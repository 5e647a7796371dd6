"""Shards in one pass over the documents, for a tokenizer that costs less than reading them twice.

The shards are written while the documents are hashed, as if no document were a copy. Where some are, the unit's shards
are written again from themselves, without them: they end as those of `shards.tokenise`, byte by byte.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from scaling_laws.corpora import duplicates, readers, scan, shards
from scaling_laws.corpora.work import Work
from scaling_laws.tasks.manifest import index_name

DRAFTS = "drafts"


def draft(work: Work) -> dict[str, Any]:
    """Reads a unit and writes its shards, copies in them: what `scan.scan` says, and what `shards.tokenise` does under
    `shards`. Raises SourceError."""
    done = work.done(DRAFTS)
    if done and scan.is_sound(work, done) and _is_whole(work, done["shards"]):
        return done
    work.path(shards.DONE).unlink(missing_ok=True)  # it may tell of other shards than there will be
    tally, empty = scan.Tally(work), 0
    with shards.Writers(work) as writers:
        for raw in readers.documents(work.unit, work.recipe.column):
            if not raw:
                empty += 1
                continue
            digest, split = tally.add(raw)
            writers.add(split, digest, raw)
        return work.finish(DRAFTS, tally.finish() | {"empty": empty, "shards": writers.finish()})


def settle(work: Work) -> dict[str, Any]:
    """Takes the copies out of the shards of a unit that has some: what `shards.tokenise` says of what is left."""
    settled = _settled(work)
    if settled is not None:
        return settled
    drafted = (work.done(DRAFTS) or {})["shards"]
    copies = _copies(work, drafted, duplicates.of_unit(work.folder, work.number))
    left = {split: shard for split, shard in drafted.items() if not copies[split].any()}
    with shards.Writers(work) as writers:
        for split in drafted.keys() - left.keys():
            _write_others(work, writers, split, drafted[split]["name"], copies[split])
        left |= writers.finish()
    for split in drafted.keys() - left.keys():  # of which all documents are copies
        for name in (drafted[split]["name"], index_name(drafted[split]["name"])):
            (work.folder / name).unlink()
    return work.finish(shards.DONE, left)


def _is_whole(work: Work, drafted: Mapping[str, Any]) -> bool:
    return shards.are_sound(work, drafted) or _settled(work) is not None


def _settled(work: Work) -> dict[str, Any] | None:
    """What `settle` said, where that still holds."""
    done = work.done(shards.DONE)
    return done if done is not None and shards.are_sound(work, done) else None


def _copies(work: Work, drafted: Mapping[str, Any], places: np.ndarray) -> dict[str, np.ndarray]:
    """split -> (documents,) of its draft: which of them are copies, by their places in the unit.

    Documents by hash, those with the same one in their order, are the entries of `scan` in theirs.
    """
    indices = [_index(work, shard["name"]) for shard in drafted.values()]
    high, low = np.concatenate(indices)[:, 1:3].T
    entries = np.load(work.path(scan.SCAN, ".npy"), allow_pickle=False)
    are_copies = np.empty(len(entries), bool)
    are_copies[np.lexsort((low, high))] = np.isin(entries["place"], places)
    ends = np.cumsum([len(index) for index in indices])
    return dict(zip(drafted, np.split(are_copies, ends[:-1]), strict=True))


def _write_others(work: Work, writers: shards.Writers, split: str, name: str, copies: np.ndarray) -> None:
    """Write the documents of a draft that are no copies."""
    index, tokens, begin = _index(work, name), np.memmap(work.folder / name, np.uint8, "r"), 0
    ends, digests = index[:, 0].tolist(), index[:, 1:].astype(">u8").tobytes()
    for number, (end, is_copy) in enumerate(zip(ends, copies.tolist(), strict=True)):
        if not is_copy:
            writers.add(split, digests[32 * number : 32 * number + 32], tokens[begin : end - 1].tobytes())
        begin = end


def _index(work: Work, name: str) -> np.ndarray:
    return np.load(work.folder / index_name(name), allow_pickle=False)
