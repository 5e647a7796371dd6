"""What a process is told to do with a unit, and where it leaves what it did.

A corpus being made is a folder with its shards and, until it is done, `.work/`: a sealed line for each unit whose
hashes, and each whose shards, are finished. What has no such line, or not the files that it tells of, is done again:
so none of this waits for the disk before the manifest does, and a power cut costs some work at most.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scaling_laws import disk, sealed
from scaling_laws.corpora.unit import Unit

WORK = ".work"


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What is made of the documents: the column that holds them, `bytes` or `bpe`, and which of them are held out."""

    column: str = "text"
    tokenizer: str = "bytes"
    vocab_size: int = 256
    split_seed: int = 0
    valid_fraction: float = 0.05
    heldout_fraction: float = 0.1


@dataclasses.dataclass(frozen=True)
class Order:
    """What to prepare. `vocabulary`: text of a tokenizer.json to use, empty to learn one from about `sample_bytes` of
    the documents for training, at most. `licences`: of the parts of the text."""

    units: Sequence[Unit]
    recipe: Recipe
    vocabulary: str = ""
    sample_bytes: int = 32_000_000
    licences: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Work:
    """A unit by its number, what to make of it, and the folder of the corpus."""

    folder: Path
    number: int
    unit: Unit
    recipe: Recipe

    def path(self, kind: str, ending: str = ".json") -> Path:
        """A file of this unit below `.work`."""
        return self.folder / WORK / kind / f"{self.number:05d}{ending}"

    def done(self, kind: str) -> dict[str, Any] | None:
        """What was written down when this part of the unit was done; None where it was not, or is damaged."""
        try:
            return sealed.unseal(self.path(kind).read_bytes().removesuffix(b"\n"))
        except FileNotFoundError:
            return None

    def finish(self, kind: str, record: Mapping[str, Any]) -> dict[str, Any]:
        """Write down that it is done, and give that back. Raises OSError."""
        disk.replace_file(self.path(kind), sealed.seal(record), lasting=False)
        return dict(record)


def is_file(path: Path, digest: str) -> bool:
    """Whether there is a file with this SHA-256."""
    return path.is_file() and disk.sha256(path) == digest
