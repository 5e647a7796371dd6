"""The language-modelling task over a prepared corpus: shards of tokens that are read from the disk, window by window.

The corpus' manifest says which documents are held out and what the tokens mean; its hash is the content hash.
"""

from pathlib import Path

import numpy as np

from scaling_laws import spec
from scaling_laws.config import ConfigError, TaskConfig
from scaling_laws.tasks import manifest as manifests
from scaling_laws.tasks import tokenizer
from scaling_laws.tasks.manifest import TOKENIZER, Manifest
from scaling_laws.tasks.mapped import Tokens
from scaling_laws.tasks.task import SPLITS, Task

VERIFIED = "verified"  # folder of the cache: which files have been found sound


def load(config: TaskConfig, cache_dir: Path | None) -> Task:
    """The corpus in the folder `config.path`, every file of which is checked when it is first seen or has changed.

    Raises ConfigError: no corpus there, one that is damaged, another vocabulary than the settings say, a split shorter
    than a window.
    """
    if not config.path:
        raise ConfigError("task.path: empty; allowed: a folder of experiments.prepare_corpus")
    if config.folds:
        raise ConfigError(f"task.folds: {config.folds}; allowed: 0 with task.name=shards, whose manifest splits")
    folder = Path(config.path).expanduser()
    found = manifests.read(folder)
    for name in ("tokenizer", "vocab_size"):
        given, there = getattr(config, name), getattr(found, name)
        if given != there:
            raise ConfigError(f"task.{name}: {given}; allowed: {there}, as {folder} was prepared")
    manifests.verify(folder, found, cache_dir and Path(cache_dir) / VERIFIED)
    task = Task(
        name=config.name,
        spec=spec.text(found.vocab_size, config.context),
        train={},
        valid={},
        heldout={},
        mapped={name: _tokens(folder, found, name) for name in SPLITS},
        token_bytes=_token_bytes(folder, found),
        content_hash=found.digest,
    )
    _check_context(task, config.context)
    return task


def _tokens(folder: Path, found: Manifest, name: str) -> Tokens:
    shards = found.shards[name]
    return Tokens([folder / shard.name for shard in shards], [shard.tokens for shard in shards], found.dtype)


def _token_bytes(folder: Path, found: Manifest) -> np.ndarray:
    if found.tokenizer == "bytes":
        return tokenizer.Bytes().token_bytes
    return tokenizer.BytePairs((folder / TOKENIZER).read_text()).token_bytes


def _check_context(task: Task, context: int) -> None:
    """Raises ConfigError where a split has no shard that is as long as one window and its targets."""
    for name, tokens in task.mapped.items():
        longest = max(tokens.lengths, default=0)
        if longest < context + 1:
            raise ConfigError(
                f"task.context: {context}; allowed: at most {longest - 1}, for the longest shard of the {name} split "
                f"has {longest} tokens; prepare more text, or larger units"
            )
