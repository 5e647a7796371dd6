"""Which document is trained on, and which is kept for measuring.

Documents stand in the order of SHA-256(split_seed, their own hash): a shuffle in which a further document takes its
place without changing the order of the others. The held-out split is filled from the front and the validation split
from the back, each to the share nearest the one asked for, so a document that is added can move only documents at
the edge of a share, never one from held-out to validation. A document larger than a whole share stays in training
as long as smaller ones exist. In cross-validation the held-out split is one of k consecutive parts of that order.
"""

import hashlib
import itertools
from collections.abc import Sequence

from scaling_laws.tasks.corpus import Document


def order(documents: Sequence[Document], split_seed: int) -> list[Document]:
    """The documents shuffled by seed and content; names and the order they come in do not matter."""
    return sorted(documents, key=lambda document: hashlib.sha256(f"{split_seed}:{document.digest}".encode()).digest())


def split(
    documents: Sequence[Document],
    split_seed: int,
    valid_fraction: float,
    heldout_fraction: float,
    folds: int = 0,
    fold: int = 0,
) -> dict[str, tuple[Document, ...]]:
    """`train`, `valid` and `heldout`, each with one document at least; shares are of bytes.

    With `folds`, `heldout` is the one numbered `fold` of so many consecutive parts of that order, not a fraction.
    Raises ValueError for fewer than three documents, or than folds.
    """
    if len(documents) < 3:
        raise ValueError(f"documents: {len(documents)}; allowed: 3 or more, one for each split")
    ordered = order(documents, split_seed)
    total = sum(len(document.raw) for document in ordered)
    if folds:
        bounds = fold_bounds([len(document.raw) for document in ordered], folds)
        heldout = ordered[bounds[fold] : bounds[fold + 1]]
    else:
        heldout = _fill(ordered, heldout_fraction * total, most=len(ordered) - 2)
    rest = _without(ordered, heldout)
    valid = _fill(rest[::-1], valid_fraction * total, most=len(rest) - 1)
    return {"train": tuple(_without(rest, valid)), "valid": tuple(valid), "heldout": tuple(heldout)}


def fold_bounds(sizes: Sequence[int], folds: int) -> list[int]:
    """The `folds` + 1 ends of consecutive parts, none empty, each end where the sum of `sizes` is nearest its share.

    Sizes are bytes of documents, or ones for the rows of a table. Raises ValueError for fewer sizes than folds.
    """
    if len(sizes) < folds:
        raise ValueError(f"folds: {folds}; allowed: at most {len(sizes)}, one item each")
    sums = [0, *itertools.accumulate(sizes)]
    bounds = [0]
    for k in range(1, folds):
        possible = range(bounds[-1] + 1, len(sizes) - (folds - k) + 1)
        bounds.append(min(possible, key=lambda end: (abs(sums[end] - sums[-1] * k / folds), end)))
    return [*bounds, len(sizes)]


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
