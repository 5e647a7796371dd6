"""From sources to a finished corpus: hashes of all documents, copies, a vocabulary, shards, and last the manifest.

Stopped or killed at any time, the same command goes on: of what is finished nothing is done again. The result depends
on the sources and the recipe alone, not on processes, nor on how often it was taken up.
"""

import errno
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scaling_laws import disk, sealed
from scaling_laws.corpora import claim, drafts, duplicates, learning, scan, shards
from scaling_laws.corpora.pool import Pool
from scaling_laws.corpora.unit import SourceError
from scaling_laws.corpora.work import WORK, Order, Work
from scaling_laws.disk import sha256
from scaling_laws.fields import ConfigError
from scaling_laws.progress import Progress
from scaling_laws.tasks import manifest, tokenizer
from scaling_laws.tasks.manifest import MANIFEST, TOKENIZER, Manifest, Shard
from scaling_laws.tasks.task import SPLITS

MEGABYTE = 1e6
FULL = (errno.ENOSPC, errno.EDQUOT)


def prepare(
    order: Order, folder: Path, workers: int = 1, stop: Callable[[], bool] = lambda: False, say: Any = print
) -> Manifest:
    """The corpus in `folder`, made or found there finished.

    Raises SourceError for bad input, leaving no folder that was not there before; ConfigError where the folder holds
    something else, another process makes it, the disk is full or the vocabulary cannot be learnt; Stopped after
    `stop()` answered True.
    """
    fresh = claim.take(order, folder)
    with claim.alone(folder):
        return _prepared(order, folder, fresh, Pool(workers, stop), say)


def _prepared(order: Order, folder: Path, fresh: bool, processes: Pool, say: Any) -> Manifest:
    works = [Work(folder, number, unit, order.recipe) for number, unit in enumerate(order.units)]
    if (folder / MANIFEST).exists():
        found = manifest.read(folder)
        manifest.verify(folder, found)
        shutil.rmtree(folder / WORK, ignore_errors=True)
        say(f"{folder}: finished already")
        return found
    try:
        with processes as pool:
            return _made(order, works, folder, pool)
    except (SourceError, ConfigError):
        if fresh:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise ConfigError(f"--corpus: {folder}: {error.strerror}; with more room the same command goes on") from None


def _made(order: Order, works: Sequence[Work], folder: Path, pool: Pool) -> Manifest:
    for name in (scan.SCAN, drafts.DRAFTS, shards.DONE):
        (folder / WORK / name).mkdir(parents=True, exist_ok=True)
    for torn in folder.glob("*.partial-*"):
        torn.unlink()
    total = sum(work.unit.size for work in works) or len(works) * MEGABYTE
    at_once = order.recipe.tokenizer == "bytes"
    with _Line(total, "tokenised" if at_once else "hashed") as line:
        seen = pool.run(drafts.draft if at_once else scan.scan, works, line.tell)
    _check_splits(seen)
    with Progress(sum(one["documents"] for one in seen), "documents") as bar:
        copies = duplicates.find(folder, [one["documents"] for one in seen], tell=lambda n: bar.update(n, "compared"))
    digest = _vocabulary(order, works, seen, folder, pool, total)
    done = _settled(works, seen, folder, pool) if at_once else _tokenised(works, pool, total)
    claim.check_sources(order, folder)
    shards.make_last(folder, done)
    found = _manifest(order, digest, copies, sum(one["empty"] for one in seen), done)
    manifest.write(folder, found)
    shutil.rmtree(folder / WORK)
    return found


def _settled(
    works: Sequence[Work], drafted: Sequence[Mapping[str, Any]], folder: Path, pool: Pool
) -> list[Mapping[str, Any]]:
    """The shards of all units, those of `drafts.draft` without the copies."""
    found = [draft["shards"] for draft in drafted]
    with_copies = duplicates.units(folder)
    unsettled = [work for work in works if work.number in with_copies]
    if not unsettled:
        return found
    with _Line(sum(work.unit.size or MEGABYTE for work in unsettled), "rid of copies") as line:
        for work, left in zip(unsettled, pool.run(drafts.settle, unsettled, line.tell), strict=True):
            found[work.number] = left
    return found


def _tokenised(works: Sequence[Work], pool: Pool, total: float) -> Sequence[Mapping[str, Any]]:
    with _Line(total, "tokenised") as line:
        return pool.run(shards.tokenise, works, line.tell)


def _manifest(order: Order, digest: str, copies: int, empty: int, done: Sequence[Mapping[str, Any]]) -> Manifest:
    """What `shards.tokenise` says of every unit, in their order, and of what is left out, as the manifest."""
    recipe = order.recipe
    return Manifest(
        tokenizer=recipe.tokenizer,
        vocab_size=recipe.vocab_size,
        dtype="uint16" if recipe.tokenizer == "bpe" else "uint8",
        tokenizer_sha256=digest,
        split_seed=recipe.split_seed,
        valid_fraction=recipe.valid_fraction,
        heldout_fraction=recipe.heldout_fraction,
        duplicates=copies,
        empty=empty,
        licences=dict(sorted(order.licences.items())),
        shards={name: tuple(Shard(**unit[name]) for unit in done if name in unit) for name in SPLITS},
    )


def _check_splits(seen: Sequence[Mapping[str, Any]]) -> None:
    """Raises SourceError where a split would be empty."""
    documents = sum(one["documents"] for one in seen)
    for name in SPLITS:
        if not sum(one[name] for one in seen):
            raise SourceError(
                f"--source: of {documents} documents none is in the split {name}; allowed: more documents, a larger "
                "share, or another --split_seed"
            )


def _vocabulary(
    order: Order, works: Sequence[Work], seen: Sequence[Mapping[str, Any]], folder: Path, pool: Pool, total: float
) -> str:
    """SHA-256 of tokenizer.json, which is given, there already, or learnt now; nothing for bytes."""
    if order.recipe.tokenizer == "bytes":
        return ""
    path, definition = folder / TOKENIZER, order.vocabulary
    kept = folder / WORK / TOKENIZER  # a sealed line with the hash of the other
    known = sealed.unseal(kept.read_bytes().removesuffix(b"\n")) if kept.exists() else None
    if known and path.exists() and known["tokenizer"] == sha256(path):
        return known["tokenizer"]
    if not definition:
        share = order.sample_bytes / max(1, sum(one["text_bytes"] for one in seen))
        with _Line(total, "sampled") as line:
            drawn = sorted(pair for part in pool.run(learning.sample, works, line.tell, share) for pair in part)
        documents = learning.bounded([raw for _, raw in drawn], order.sample_bytes)
        definition = tokenizer.train_byte_pairs(documents, order.recipe.vocab_size).definition
    disk.replace_file(path, definition.encode())
    found = sha256(path)
    disk.replace_file(kept, sealed.seal({"tokenizer": found}))
    return found


class _Line:
    """The progress of one pass, in megabytes of the sources."""

    def __init__(self, total: float, note: str):
        self._bar, self._note, self._done = Progress(total / MEGABYTE, "MB"), note, 0.0

    def __enter__(self) -> "_Line":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def tell(self, work: Work) -> None:
        """A unit is done."""
        self._done += (work.unit.size or MEGABYTE) / MEGABYTE
        self._bar.update(self._done, self._note)
