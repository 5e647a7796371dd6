"""Text to tokens and back: bytes as they are, or byte-pair merges over bytes.

Token 0 ends a document and stands for no byte; both tokenizers give back exactly the bytes they were given.
"""

import dataclasses
import functools
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from scaling_laws.fields import ConfigError

SEPARATOR = 0
SEPARATOR_TEXT = "<|doc|>"
LONGEST_WORD = 1024  # bytes that merges are looked for in: without spaces a megabyte would take minutes
PART = 1 << 18  # characters of a document that are encoded at a time: each takes a hundred bytes of memory or more
_BEFORE_SPACE = re.compile(r"(?<=\S)[ \n]")


class Tokenizer(Protocol):
    """What a tokenizer can do. `token_bytes` (vocab_size,): bytes that each token stands for."""

    @property
    def token_bytes(self) -> np.ndarray: ...  # noqa: D102

    def encode(self, documents: Sequence[bytes]) -> np.ndarray:
        """Tokens of the documents in one array, each document followed by the separator."""
        ...

    def decode(self, tokens: np.ndarray) -> list[bytes]:
        """The documents back; a last one without its separator counts as one."""
        ...


@dataclasses.dataclass(frozen=True)
class Bytes:
    """One token a byte, 256 in all. The byte 0 separates, so no document may hold it."""

    @property
    def token_bytes(self) -> np.ndarray:
        """Ones, with a zero for the separator."""
        return (np.arange(256) != SEPARATOR).astype(np.int32)

    def encode(self, documents: Sequence[bytes]) -> np.ndarray:
        """Tokens (uint8). Raises ValueError for a document with the byte 0 in it."""
        for index, document in enumerate(documents):
            if (at := document.find(b"\0")) >= 0:
                raise ValueError(f"document {index} holds the byte 0 at byte {at}; allowed: text without it")
        return np.frombuffer(b"\0".join([*documents, b""]), np.uint8)

    def decode(self, tokens: np.ndarray) -> list[bytes]:
        """The documents back."""
        pieces = tokens.astype(np.uint8).tobytes().split(b"\0")
        return pieces if pieces[-1] else pieces[:-1]


class BytePairs:
    """Byte-level byte-pair merges (Sennrich et al. 2016, over bytes as in GPT-2), as the text of a tokenizer.json."""

    def __init__(self, definition: str) -> None:
        self.definition = definition
        self.pieces = _pieces(definition)

    @property
    def token_bytes(self) -> np.ndarray:
        """Length of each token's bytes."""
        return np.array([len(piece) for piece in self.pieces], np.int32)

    @functools.cached_property
    def _engine(self) -> Any:
        from tokenizers import Tokenizer as Engine  # kept out of a byte-level start

        engine = Engine.from_str(self.definition)
        engine.encode_special_tokens = True  # the separator's text inside a document is text
        return engine

    def encode(self, documents: Sequence[bytes]) -> np.ndarray:
        """Tokens (uint16). Documents must be UTF-8; but for long ones they are encoded in parallel."""
        arrays, short = [np.zeros(0, np.uint16)], []
        for text in (document.decode() for document in documents):
            if len(text) <= 2 * PART:
                short.append(text)
                continue
            *others, last = parts(text)
            arrays += self._encoded(short)
            arrays += [part[:-1] for other in others for part in self._encoded([other])] + self._encoded([last])
            short = []
        return np.concatenate(arrays + self._encoded(short))

    def _encoded(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Tokens of each text, and the separator."""
        encoded = self._engine.encode_batch_fast(texts, add_special_tokens=False)
        return [np.array([*one.ids, SEPARATOR], np.uint16) for one in encoded]

    def decode(self, tokens: np.ndarray) -> list[bytes]:
        """The documents back."""
        ends = np.flatnonzero(tokens == SEPARATOR)
        parts = np.split(tokens, ends + 1)
        parts = parts if len(parts[-1]) else parts[:-1]
        return [b"".join(self.pieces[token] for token in part) for part in parts]


def train_byte_pairs(documents: Sequence[bytes], vocab_size: int) -> BytePairs:
    """Merges learnt from `documents` (UTF-8), the same for the same documents in the same order.

    The vocabulary is the separator, the 256 bytes and vocab_size - 257 merges of pairs seen at least twice, none across
    the ends of words or of LONGEST_WORD bytes without one. Raises ConfigError when the documents have fewer such pairs.
    """
    from tokenizers import Tokenizer as Engine
    from tokenizers import models, pre_tokenizers, trainers

    engine = Engine(models.BPE())
    words = [pre_tokenizers.ByteLevel(add_prefix_space=False), pre_tokenizers.FixedLength(LONGEST_WORD)]
    engine.pre_tokenizer = pre_tokenizers.Sequence(words)  # pyright: ignore[reportAttributeAccessIssue]
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=[SEPARATOR_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    engine.train_from_iterator((part for document in documents for part in parts(document.decode())), trainer)
    if engine.get_vocab_size() != vocab_size:
        raise ConfigError(
            f"task.vocab_size: {vocab_size}; allowed: at most {engine.get_vocab_size()}, for the train split has no "
            "further pair that occurs twice"
        )
    return BytePairs(engine.to_str())


def parts(text: str) -> Iterator[str]:
    """A text in parts of PART to twice as many characters, the last one any number.

    A part ends where a space or a line's end follows something else: there a word ends whatever stands around, so the
    merges of the parts are those of the text; in the middle of a word where there is no such place.
    """
    start = 0
    while len(text) - start > 2 * PART:
        found = _BEFORE_SPACE.search(text, start + PART, start + 2 * PART)
        stop = found.start() if found else start + 2 * PART
        yield text[start:stop]
        start = stop
    yield text[start:]


def _pieces(definition: str) -> tuple[bytes, ...]:
    """The bytes of each token, by token, from the text of a tokenizer.json."""
    vocabulary = json.loads(definition)["model"]["vocab"]
    byte_of = _byte_of_character()
    pieces = [b""] * len(vocabulary)
    for text, token in vocabulary.items():
        if token != SEPARATOR:
            pieces[token] = bytes(byte_of[character] for character in text)
    return tuple(pieces)


def _byte_of_character() -> dict[str, int]:
    """The byte-level alphabet: a visible Latin-1 character is its own byte, the others follow from U+0100 on."""
    visible = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    hidden = [byte for byte in range(256) if byte not in visible]
    return {chr(byte): byte for byte in visible} | {chr(256 + rank): byte for rank, byte in enumerate(hidden)}
