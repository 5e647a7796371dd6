"""The second pass over the documents: tokens in shards (`tasks.manifest` says how), one a unit and split."""

import dataclasses
import functools
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from scaling_laws import disk
from scaling_laws.corpora import duplicates, readers
from scaling_laws.corpora.scan import SCAN, is_sampled, saved, split_of
from scaling_laws.corpora.unit import SourceError
from scaling_laws.corpora.work import Work, is_file
from scaling_laws.tasks import tokenizer
from scaling_laws.tasks.manifest import TOKENIZER, index_name, tokens_name
from scaling_laws.tasks.task import SPLITS

DONE = "shards"
BATCH = 1 << 20  # bytes of text that are encoded at a time


def tokenise(work: Work) -> dict[str, Any]:
    """Writes the shards of a unit, unless they are there and sound: split -> {name, tokens, documents, text_bytes,
    sha256, index_sha256}. Raises SourceError."""
    done = work.done(DONE)
    if done and all(_is_sound(work.folder, shard) for shard in done.values()):
        return done
    codec = _codec(work.folder / TOKENIZER if work.recipe.tokenizer == "bpe" else None)
    writers: dict[str, _Writer] = {}
    try:
        for digest, raw in kept(work):
            split = split_of(digest, work.recipe)
            if split not in writers:
                writers[split] = _Writer(work.folder / tokens_name(split, work.number), codec)
            writers[split].add(digest, raw)
        return work.finish(DONE, {split: writers[split].finish() for split in SPLITS if split in writers})
    finally:
        for writer in writers.values():
            writer.close()


def sample(work: Work, share: float) -> list[tuple[bytes, bytes]]:
    """(hash, text) of about this share of the unit's documents for training. Raises SourceError."""
    recipe = work.recipe
    return [
        (digest, raw)
        for digest, raw in kept(work)
        if split_of(digest, recipe) == "train" and is_sampled(digest, recipe, share)
    ]


def kept(work: Work) -> Iterator[tuple[bytes, bytes]]:
    """(hash, text) of the documents of a unit that are neither empty nor copies. Raises SourceError, in the end where
    the unit holds no longer what `scan` has seen in it."""
    copies = set(duplicates.of_unit(work.folder, work.number).tolist())
    content, place = hashlib.sha256(), 0
    for raw in readers.documents(work.unit, work.recipe.column):
        if not raw:
            continue
        digest = hashlib.sha256(raw).digest()
        content.update(digest)
        if place not in copies:
            yield digest, raw
        place += 1
    seen = work.done(SCAN)
    if seen is None or seen["content"] != content.hexdigest():
        raise SourceError(f"--source: {work.unit.name} has changed while it was read; allowed: text that stays")


@functools.lru_cache(maxsize=1)
def _codec(path: Path | None) -> tokenizer.Tokenizer:
    return tokenizer.BytePairs(path.read_text()) if path else tokenizer.Bytes()


def _is_sound(folder: Path, shard: dict[str, Any]) -> bool:
    tokens = folder / shard["name"]
    return is_file(tokens, shard["sha256"]) and is_file(folder / index_name(shard["name"]), shard["index_sha256"])


@dataclasses.dataclass
class _Writer:
    """A shard that is being written, under another name until it is whole."""

    path: Path
    codec: tokenizer.Tokenizer

    def __post_init__(self) -> None:
        self.partial = self.path.with_suffix(f".partial-{os.getpid()}")
        self.file = self.partial.open("wb")
        self.hash, self.tokens, self.text_bytes, self.waiting_bytes = hashlib.sha256(), 0, 0, 0
        self.waiting: list[bytes] = []
        self.digests: list[bytes] = []
        self.ends: list[np.ndarray] = []

    def add(self, digest: bytes, raw: bytes) -> None:
        """One document more."""
        self.digests.append(digest)
        self.waiting.append(raw)
        self.waiting_bytes += len(raw)
        if self.waiting_bytes >= BATCH:
            self._encode()

    def _encode(self) -> None:
        tokens = self.codec.encode(self.waiting)
        self.ends.append(np.flatnonzero(tokens == tokenizer.SEPARATOR).astype(np.uint64) + np.uint64(self.tokens + 1))
        data = tokens.astype(tokens.dtype.newbyteorder("<"), copy=False).tobytes()
        self.hash.update(data)
        self.file.write(data)
        self.tokens, self.text_bytes = self.tokens + len(tokens), self.text_bytes + self.waiting_bytes
        self.waiting, self.waiting_bytes = [], 0

    def finish(self) -> dict[str, Any]:
        """Put both files in their place, on the disk, and say what is in them. Raises OSError."""
        if self.waiting:
            self._encode()
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        words = np.frombuffer(b"".join(self.digests), ">u8").reshape(-1, 4)
        index = saved(np.column_stack([np.concatenate(self.ends), words]).astype("<u8"))
        disk.replace_file(self.path.with_name(index_name(self.path.name)), index)
        os.replace(self.partial, self.path)
        disk.sync_folder(self.path.parent)
        return {
            "name": self.path.name,
            "tokens": self.tokens,
            "documents": len(self.digests),
            "text_bytes": self.text_bytes,
            "sha256": self.hash.hexdigest(),
            "index_sha256": hashlib.sha256(index).hexdigest(),
        }

    def close(self) -> None:
        """Leave nothing half-written behind."""
        self.file.close()
        self.partial.unlink(missing_ok=True)
