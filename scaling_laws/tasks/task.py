"""A task once it is loaded: three token arrays that share no document, and what a token is worth in bytes."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from scaling_laws.config import ConfigError

SPLITS = ("train", "valid", "heldout")


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """Tokens to train on and to be measured on.

    `train`, `valid`, `heldout`: one-dimensional, read-only, uint8 or uint16; every document ends with the separator,
    token 0. `token_bytes` (vocab_size,): bytes of text that each token stands for, 0 for the separator.
    `content_hash`: SHA-256 of the set of raw documents, whatever their names and order.
    `documents`: split -> SHA-256 of each of its documents, in the order of the tokens.
    `notes`: what a reader should know (duplicates left out, a cache rebuilt), one line each.
    """

    name: str
    train: np.ndarray
    valid: np.ndarray
    heldout: np.ndarray
    vocab_size: int
    token_bytes: np.ndarray
    content_hash: str
    documents: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()

    @property
    def unique_tokens(self) -> int:
        """Tokens of the train split, separators included."""
        return len(self.train)

    def split(self, name: str) -> np.ndarray:
        """The tokens of the split `name` (train, valid or heldout)."""
        if name not in SPLITS:
            raise ValueError(f"split: {name!r}; allowed: {', '.join(SPLITS)}")
        return getattr(self, name)

    def check_context(self, context: int) -> None:
        """Raises ConfigError when a split is too short for one window of `context` inputs and their targets."""
        shortest = min(SPLITS, key=lambda name: len(self.split(name)))
        tokens = len(self.split(shortest))
        if tokens < context + 1:
            raise ConfigError(
                f"task.context: {context}; allowed: at most {tokens - 1}, for the {shortest} split of this text has "
                f"{tokens} tokens; give more text, a shorter context or a larger share"
            )
