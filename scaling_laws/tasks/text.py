"""The language-modelling task: documents in, three token arrays out."""

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from scaling_laws import spec
from scaling_laws.config import ConfigError, TaskConfig
from scaling_laws.tasks import cache, corpus, tokenizer
from scaling_laws.tasks.corpus import Document
from scaling_laws.tasks.split import split
from scaling_laws.tasks.task import Task

Splits = Mapping[str, tuple[Document, ...]]


def load(config: TaskConfig, cache_dir: Path) -> Task:
    """The text that `config.path` names, split and tokenised; byte-pair tokens are kept under `cache_dir`.

    The tokens depend on the set of documents, the split and the vocabulary, not on file names. Raises ConfigError for
    text that cannot be read or is too short.
    """
    source = corpus.read(config.path or corpus.PACKAGED)
    splits = _split(source, config)
    notes = list(source.notes)
    tokens, token_bytes = _tokenise(config, splits, cache_dir, notes)
    task = Task(
        name=config.name,
        spec=spec.text(len(token_bytes), config.context),
        token_bytes=token_bytes,
        content_hash=source.content_hash,
        documents={name: tuple(document.digest for document in part) for name, part in splits.items()},
        notes=tuple(notes),
        train={"tokens": tokens["train"]},
        valid={"tokens": tokens["valid"]},
        heldout={"tokens": tokens["heldout"]},
    )
    task.check_context(config.context)
    return task


def raw_bytes(config: TaskConfig, which: str = "all") -> bytes:
    """The text itself, for compressors: `all` (in the order of names), or one split (in the order of its tokens)."""
    source = corpus.read(config.path or corpus.PACKAGED)
    if which == "all":
        return b"".join(document.raw for document in source.documents)
    splits = _split(source, config)
    return b"".join(document.raw for document in splits[which])


def _split(source: corpus.Corpus, config: TaskConfig) -> Splits:
    if config.folds > len(source.documents):
        raise ConfigError(f"task.folds: {config.folds}; allowed: at most {len(source.documents)}, one document each")
    fractions = (config.valid_fraction, config.heldout_fraction)
    return split(source.documents, config.split_seed, *fractions, config.folds, config.fold)


def _tokenise(
    config: TaskConfig, splits: Splits, cache_dir: Path, notes: list[str]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    if config.tokenizer == "bytes":
        codec = tokenizer.Bytes()
        return _encode(codec, splits), codec.token_bytes
    definition, tokens = _byte_pairs(splits, config.vocab_size, cache_dir, notes)
    return tokens, tokenizer.BytePairs(definition).token_bytes


def _byte_pairs(
    splits: Splits, vocab_size: int, cache_dir: Path, notes: list[str]
) -> tuple[str, dict[str, np.ndarray]]:
    folder = Path(cache_dir) / cache_key(splits, vocab_size)
    try:
        found = cache.load(folder, tuple(splits))
    except cache.Damaged as damage:
        notes.append(f"token cache damaged and built again: {damage}")
        found = None
    if found:
        return found
    codec = tokenizer.train_byte_pairs([document.raw for document in splits["train"]], vocab_size)
    tokens = _encode(codec, splits)
    try:
        cache.save(folder, codec.definition, tokens)
    except OSError as error:
        notes.append(f"token cache not written: {folder} ({error.strerror})")
    return codec.definition, tokens


def _encode(codec: tokenizer.Tokenizer, splits: Splits) -> dict[str, np.ndarray]:
    return {name: codec.encode([document.raw for document in part]) for name, part in splits.items()}


def cache_key(splits: Splits, vocab_size: int) -> str:
    """Hash of what byte-pair tokens depend on: the documents of each split, the vocabulary, the library's version."""
    facts = {
        "documents": {name: [document.digest for document in part] for name, part in splits.items()},
        "vocab_size": vocab_size,
        "tokenizers": importlib.metadata.version("tokenizers"),
        "format": 2,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
