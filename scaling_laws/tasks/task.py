"""A task once it is loaded: three splits that share nothing, and what a model must know of them."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from scaling_laws.fields import ConfigError
from scaling_laws.spec import Spec
from scaling_laws.tasks.mapped import Tokens

SPLITS = ("train", "valid", "heldout")
ENDLESS = 1 << 62  # examples of a stream
Arrays = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """What to train on and to be measured on.

    `train`, `valid`, `heldout`: read-only arrays by name. Of a text `tokens` (T,), uint8 or uint16, every document
    ending with the separator, token 0. Of examples `inputs` (n, ...) as `spec` has them, whole numbers as int32,
    pixels as uint8, other numbers as float32, and `targets` (n,), int32 classes or float32 numbers. Of a stream
    `stream` (), an int32 that tells the splits' streams apart.
    `mapped`: split -> tokens of a text that the host reads window by window; then the splits have no arrays.
    `fixed`: arrays that all splits share, such as `mean` and `scale` (shape broadcast against an input), applied
    as (inputs - mean) x scale, and `class_weights` (outputs,), of mean 1 over the train split.
    `token_bytes` (vocabulary,): bytes of text that each token stands for, 0 for the separator; None but for text.
    `content_hash`: SHA-256 of the raw content, whatever the names and, for documents, their order.
    `documents`: split -> SHA-256 of each of its documents, in the order of the tokens; empty where there are none.
    `notes`: what a reader should know (duplicates left out, values imputed, a cache rebuilt), one line each.
    """

    name: str
    spec: Spec
    train: Arrays
    valid: Arrays
    heldout: Arrays
    content_hash: str
    fixed: Arrays = dataclasses.field(default_factory=dict)
    token_bytes: np.ndarray | None = None
    documents: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    mapped: Mapping[str, Tokens] = dataclasses.field(default_factory=dict)

    @property
    def unique_tokens(self) -> int:
        """Targets of the train split: tokens of a text, separators included, or examples."""
        return self.length("train")

    @property
    def positive(self) -> int | None:
        """Of two classes the rarer one of the train split, class 1 where they are as many; else None."""
        if not self.spec.is_classification or self.spec.outputs != 2 or self.spec.source != "examples":
            return None
        return int(2 * np.count_nonzero(self.train["targets"]) <= self.length("train"))

    def split(self, name: str) -> Arrays:
        """The arrays of the split `name` (train, valid or heldout)."""
        if name not in SPLITS:
            raise ValueError(f"split: {name!r}; allowed: {', '.join(SPLITS)}")
        return getattr(self, name)

    def length(self, name: str) -> int:
        """Tokens or examples of a split; ENDLESS of a stream."""
        if self.spec.source == "stream":
            return ENDLESS
        if self.mapped:
            return len(self.mapped[name])
        return len(next(iter(self.split(name).values())))

    def windows(self, name: str, starts: np.ndarray) -> np.ndarray:
        """(n, context + 1): the windows of a split of a text from each of `starts` (n,) on, and their last targets."""
        (context,) = self.spec.shape
        if self.mapped:
            return self.mapped[name].windows(starts, context + 1)
        return self.split(name)["tokens"][starts[:, None] + np.arange(context + 1)]

    def check_context(self, context: int) -> None:
        """Raises ConfigError when a split is too short for one window of `context` inputs and their targets."""
        shortest = min(SPLITS, key=self.length)
        tokens = self.length(shortest)
        if tokens < context + 1:
            raise ConfigError(
                f"task.context: {context}; allowed: at most {tokens - 1}, for the {shortest} split of this text has "
                f"{tokens} tokens; give more text, a shorter context or a larger share"
            )
