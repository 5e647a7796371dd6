"""What a vocabulary is learnt from: a share of the documents for training, drawn by their hashes, and bounded.

Learning takes memory by what there is of different words, a hundred bytes or so a byte of them; a page of English has
few that the pages before have not, text without spaces has little else.
"""

import re
from collections.abc import Sequence

from scaling_laws.corpora.scan import is_sampled, split_of
from scaling_laws.corpora.shards import kept
from scaling_laws.corpora.work import Work
from scaling_laws.tasks import corpus

MOST_WORDS = 4_000_000  # bytes of all different words
BLOCK = 1 << 16  # bytes, about, of a document that are taken or left
WORDS = re.compile(rb"[A-Za-z\x80-\xff]+|[0-9]+|[^\sA-Za-z0-9\x80-\xff]+")  # about as the tokenizer has them


def sample(work: Work, share: float) -> list[tuple[bytes, bytes]]:
    """(hash, text) of about this share of the unit's documents for training. Raises SourceError."""
    recipe = work.recipe
    return [
        (digest, raw)
        for digest, raw in kept(work)
        if split_of(digest, recipe) == "train" and is_sampled(digest, recipe, share)
    ]


def bounded(documents: Sequence[bytes], most: int, most_words: int = MOST_WORDS) -> list[bytes]:
    """The documents in their order as far as they come to `most` bytes, and their different words to `most_words` (or
    an eighth of `most`, where that is more)."""
    left, words_left, block = most, max(most_words, most // 8), max(64, min(BLOCK, most // 16))
    taken, words = [], set[bytes]()
    for raw in documents:
        for start, stop in corpus.piece_bounds(raw, block):
            more = set(WORDS.findall(raw, start, stop)) - words
            left, words_left = left - (stop - start), words_left - sum(map(len, more))
            if min(left, words_left) < 0:
                return [*taken, raw[:start]]
            words |= more
        taken.append(raw)
    return taken
