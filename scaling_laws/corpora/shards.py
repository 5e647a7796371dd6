"""The second pass over the documents: tokens in shards (`tasks.manifest` says how), one a unit and split."""

import collections
import concurrent.futures
import dataclasses
import functools
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scaling_laws import disk
from scaling_laws.corpora import duplicates, readers
from scaling_laws.corpora.scan import SCAN, saved, split_of
from scaling_laws.corpora.unit import SourceError
from scaling_laws.corpora.work import Work, is_file
from scaling_laws.tasks import tokenizer
from scaling_laws.tasks.manifest import TOKENIZER, index_name, tokens_name
from scaling_laws.tasks.task import SPLITS

DONE = "shards"
BATCH = 1 << 20  # bytes of text that are encoded at a time
AT_ONCE = 16  # files that a disk is asked to keep: it does those in one


def tokenise(work: Work) -> dict[str, Any]:
    """Writes the shards of a unit, unless they are there and sound: split -> {name, tokens, documents, text_bytes,
    sha256, index_sha256}. Raises SourceError."""
    done = work.done(DONE)
    if done is not None and are_sound(work, done):  # a unit of copies alone has no shards
        return done
    with Writers(work) as writers:
        for digest, raw in kept(work):
            writers.add(split_of(digest, work.recipe), digest, raw)
        return work.finish(DONE, writers.finish())


def are_sound(work: Work, shards: Mapping[str, Any]) -> bool:
    """Whether the files are there that `tokenise` told of."""
    return all(
        is_file(work.folder / shard["name"], shard["sha256"])
        and is_file(work.folder / index_name(shard["name"]), shard["index_sha256"])
        for shard in shards.values()
    )


def make_last(folder: Path, shards: Iterable[Mapping[str, Any]]) -> None:
    """Have the disk keep these shards, those of a unit in each, and their names in the folder. Raises OSError."""
    tokens = [folder / shard["name"] for unit in shards for shard in unit.values()]
    files = tokens + [path.with_name(index_name(path.name)) for path in tokens]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as executor:
        collections.deque(executor.map(disk.sync_file, files), maxlen=0)
    disk.sync_folder(folder)


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


class Writers:
    """The shards of a unit that are being written, by split; what is not finished leaves nothing behind."""

    def __init__(self, work: Work):
        self._work = work
        self._codec = _codec(work.folder / TOKENIZER if work.recipe.tokenizer == "bpe" else None)
        self._writers: dict[str, _Writer] = {}

    def __enter__(self) -> "Writers":
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._writers.values():
            writer.close()

    def add(self, split: str, digest: bytes, raw: bytes) -> None:
        """One document more."""
        if split not in self._writers:
            path = self._work.folder / tokens_name(split, self._work.number)
            self._writers[split] = _Writer(path, self._codec)
        self._writers[split].add(digest, raw)

    def finish(self) -> dict[str, Any]:
        """Put all files in their place, and say what is in them. Raises OSError."""
        return {split: self._writers[split].finish() for split in SPLITS if split in self._writers}


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
        self.digests = bytearray()  # of documents that may be many and small
        self.ends: list[np.ndarray] = []

    def add(self, digest: bytes, raw: bytes) -> None:
        """One document more."""
        self.digests += digest
        self.waiting.append(raw)
        self.waiting_bytes += len(raw)
        if self.waiting_bytes >= BATCH:
            self._encode()

    def _encode(self) -> None:
        tokens = self.codec.encode(self.waiting)
        self.ends.append(np.flatnonzero(tokens == tokenizer.SEPARATOR).astype(np.uint64) + np.uint64(self.tokens + 1))
        data = tokens.astype(tokens.dtype.newbyteorder("<"), copy=False).data
        self.hash.update(data)
        self.file.write(data)
        self.tokens, self.text_bytes = self.tokens + len(tokens), self.text_bytes + self.waiting_bytes
        self.waiting, self.waiting_bytes = [], 0

    def finish(self) -> dict[str, Any]:
        """Put both files in their place, and say what is in them. Raises OSError."""
        if self.waiting:
            self._encode()
        disk.begin_sync(self.file)
        self.file.close()
        table = np.empty((len(self.digests) // 32, 5), "<u8")
        table[:, 0], table[:, 1:] = np.concatenate(self.ends), np.frombuffer(self.digests, ">u8").reshape(-1, 4)
        index = saved(table)
        disk.replace_file(self.path.with_name(index_name(self.path.name)), index, lasting=False)
        os.replace(self.partial, self.path)
        return {
            "name": self.path.name,
            "tokens": self.tokens,
            "documents": len(table),
            "text_bytes": self.text_bytes,
            "sha256": self.hash.hexdigest(),
            "index_sha256": hashlib.sha256(index).hexdigest(),
        }

    def close(self) -> None:
        """Leave nothing half-written behind."""
        try:
            self.file.close()
        finally:  # it may not close on a full disk
            self.partial.unlink(missing_ok=True)
