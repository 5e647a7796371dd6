"""What a prepared corpus consists of (`scaling_laws.corpora`): the manifest beside its shards, written last.

A shard is a file of tokens, little-endian, every document followed by the separator, token 0; its index, an .npy of
(documents, 5) uint64: where each document ends, and its SHA-256 as four words, big-endian.

The manifest is JSON whose first field is the SHA-256 of the rest. It holds nothing of paths, dates or processes: the
same text under the same recipe has the same manifest, and its hash stands for the corpus in a run's identity.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from scaling_laws import disk, sealed
from scaling_laws.disk import sha256
from scaling_laws.fields import ConfigError
from scaling_laws.tasks.task import SPLITS

MANIFEST, TOKENIZER = "manifest.json", "tokenizer.json"
FORMAT = 1


class CorpusError(ConfigError):
    """A corpus that is not as its manifest says; the message says what and where."""


def tokens_name(split: str, number: int) -> str:
    """The file of a shard's tokens."""
    return f"{split}-{number:05d}.tokens"


def index_name(tokens: str) -> str:
    """The file of a shard's index, by that of its tokens."""
    return tokens.removesuffix(".tokens") + ".index.npy"


@dataclasses.dataclass(frozen=True)
class Shard:
    """A file of tokens, and its index."""

    name: str
    tokens: int
    documents: int
    text_bytes: int
    sha256: str
    index_sha256: str


@dataclasses.dataclass(frozen=True)
class Manifest:
    """`dtype`: NumPy's name of a token's type, little-endian. `duplicates`, `empty`: documents left out.
    `tokenizer_sha256`: of tokenizer.json, empty for bytes. `licences`: of the parts of the text, as their sources say.
    """

    tokenizer: str
    vocab_size: int
    dtype: str
    tokenizer_sha256: str
    split_seed: int
    valid_fraction: float
    heldout_fraction: float
    duplicates: int
    empty: int
    licences: Mapping[str, str]
    shards: Mapping[str, Sequence[Shard]]
    format: int = FORMAT

    @property
    def digest(self) -> str:
        """SHA-256 of all that it says."""
        return hashlib.sha256(json.dumps(dataclasses.asdict(self), sort_keys=True).encode()).hexdigest()

    def total(self, what: str, split: str = "") -> int:
        """Tokens, documents or text_bytes of a split, or of all."""
        return sum(getattr(shard, what) for name in SPLITS if split in ("", name) for shard in self.shards[name])


def write(folder: Path, manifest: Manifest) -> None:
    """Write it whole or not at all. Raises OSError."""
    content = {"sha256": manifest.digest} | dataclasses.asdict(manifest)
    disk.replace_file(folder / MANIFEST, json.dumps(content, indent=1).encode() + b"\n")


def read(folder: Path) -> Manifest:
    """The manifest of a corpus. Raises CorpusError where there is none or not as it was written."""
    path = folder / MANIFEST
    try:
        content = json.loads(disk.read_file(path))
        if content["format"] != FORMAT:
            raise CorpusError(f"task.path: {path} has format {content['format']}; allowed: {FORMAT}")
        digest = content.pop("sha256")
        shards = {name: tuple(Shard(**shard) for shard in content["shards"][name]) for name in SPLITS}
        found = Manifest(**{**content, "shards": shards})
    except FileNotFoundError:
        raise CorpusError(f"task.path: no {MANIFEST} in {folder}; allowed: a folder of prepare_corpus") from None
    except OSError as error:
        raise CorpusError(f"task.path: {path} cannot be read ({error.strerror})") from None
    except CorpusError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError):
        raise CorpusError(f"task.path: {path} is no manifest; allowed: one of prepare_corpus") from None
    if found.digest != digest:
        raise CorpusError(f"task.path: {path} is damaged: its checksum is another; prepare the corpus anew")
    return found


def verify(folder: Path, manifest: Manifest, notes: Path | None = None) -> None:
    """Raises CorpusError where a file of the corpus is missing, torn or not what the manifest says, by SHA-256.

    `notes`: a folder where files that have been found sound are noted, with size and time of change; those are looked
    at again only when either is another. Without it every byte is read.
    """
    known = _known(notes, manifest)
    sound: dict[str, str] = {}
    for name, size, digest in _files(manifest):
        path = folder / name
        try:
            about = path.stat()
            if size is not None and about.st_size != size:
                raise CorpusError(f"task.path: {path} has {about.st_size} bytes; allowed: {size}, as the manifest says")
            sound[name] = f"{path.resolve()} {about.st_size} {about.st_mtime_ns}"
            if known.get(name) != sound[name] and sha256(path) != digest:
                raise CorpusError(f"task.path: {path} is not what the manifest says: its SHA-256 is another")
        except FileNotFoundError:
            raise CorpusError(f"task.path: {path} is missing; allowed: every shard that the manifest names") from None
        except OSError as error:
            raise CorpusError(f"task.path: {path} cannot be read ({error.strerror})") from None
    if notes and sound != known:
        _note(notes, manifest, sound)


def _files(manifest: Manifest) -> list[tuple[str, int | None, str]]:
    """Name, bytes where they are known, and SHA-256 of every file."""
    width = int(manifest.dtype.removeprefix("uint")) // 8
    shards = [shard for name in SPLITS for shard in manifest.shards[name]]
    found: list[tuple[str, int | None, str]] = [(each.name, width * each.tokens, each.sha256) for each in shards]
    found += [(index_name(each.name), None, each.index_sha256) for each in shards]
    return found + ([(TOKENIZER, None, manifest.tokenizer_sha256)] if manifest.tokenizer_sha256 else [])


def _known(notes: Path | None, manifest: Manifest) -> dict[str, str]:
    try:
        line = (notes / f"{manifest.digest[:16]}.json").read_bytes() if notes else b""
    except OSError:
        return {}
    return (sealed.unseal(line.removesuffix(b"\n")) or {}) if line else {}


def _note(notes: Path, manifest: Manifest, sound: Mapping[str, str]) -> None:
    """Nothing where the disk refuses: then the files are read again next time."""
    try:
        notes.mkdir(parents=True, exist_ok=True)
        disk.replace_file(notes / f"{manifest.digest[:16]}.json", sealed.seal(sound))
    except OSError:
        return
