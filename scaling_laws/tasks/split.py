"""Which document is trained on, and which is kept for measuring.

Documents stand in the order of SHA-256(split_seed, their own hash): a shuffle in which a further document takes its
place without changing the order of the others. The held-out split is filled from the front and the validation split
from the back, each to the share nearest the one asked for, so a document that is added can move only documents at
the edge of a share, never one from held-out to validation. A document larger than a whole share stays in training
as long as smaller ones exist.
"""

import hashlib
from collections.abc import Sequence

from scaling_laws.tasks.corpus import Document


def order(documents: Sequence[Document], split_seed: int) -> list[Document]:
    """The documents shuffled by seed and content; names and the order they come in do not matter."""
    return sorted(documents, key=lambda document: hashlib.sha256(f"{split_seed}:{document.digest}".encode()).digest())


def split(
    documents: Sequence[Document], split_seed: int, valid_fraction: float, heldout_fraction: float
) -> dict[str, tuple[Document, ...]]:
    """`train`, `valid` and `heldout`, each with one document at least; shares are of bytes.

    Raises ValueError for fewer than three documents.
    """
    if len(documents) < 3:
        raise ValueError(f"documents: {len(documents)}; allowed: 3 or more, one for each split")
    ordered = order(documents, split_seed)
    total = sum(len(document.raw) for document in ordered)
    heldout = _fill(ordered, heldout_fraction * total, most=len(ordered) - 2)
    rest = _without(ordered, heldout)
    valid = _fill(rest[::-1], valid_fraction * total, most=len(rest) - 1)
    return {"train": tuple(_without(rest, valid)), "valid": tuple(valid), "heldout": tuple(heldout)}


def _without(documents: Sequence[Document], taken: Sequence[Document]) -> list[Document]:
    gone = {document.digest for document in taken}
    return [document for document in documents if document.digest not in gone]


def _fill(candidates: Sequence[Document], target: float, most: int) -> list[Document]:
    """The first few candidates, of those no larger than `target` bytes, whose sum is nearest `target`."""
    fitting = [document for document in candidates if len(document.raw) <= target]
    if not fitting:
        return [min(candidates, key=lambda document: len(document.raw))]
    taken, size = [fitting[0]], len(fitting[0].raw)
    for document in fitting[1:most]:
        if size + len(document.raw) / 2 > target:
            break
        taken.append(document)
        size += len(document.raw)
    return taken
