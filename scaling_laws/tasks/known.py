"""Tasks whose exponents theory knows (`scaling_laws.theory`): endless streams, drawn in the compiled step."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from scaling_laws.config import ConfigError, TaskConfig
from scaling_laws.spec import Spec
from scaling_laws.tasks.examples import content_hash
from scaling_laws.tasks.task import Task
from scaling_laws.theory import manifold as manifolds
from scaling_laws.theory import power_law_features
from scaling_laws.theory import zipf as zipfs

ITEMS = 1 << 20  # of the Zipf memoriser: what is rarer adds less than a hundredth of the loss of any study here
AMBIENT = 16  # dimensions that a manifold lies in, at least


def power_law(config: TaskConfig, cache_dir: Path) -> Task:
    """Power-law random features with the exponents `task.alpha` and `task.beta`.

    An example is a key: a model of the family `features` draws from it what W shows of x, and the target. Raises
    ConfigError for exponents without a theory.
    """
    power_law_features.compute_optimal(config.alpha, config.beta)
    return _stream(config, Spec("noise", (), 1, "squared_error", stream="keys", numbers=(config.alpha, config.beta)))


def zipf(config: TaskConfig, cache_dir: Path) -> Task:
    """Items with the probabilities i^-(1 + `task.alpha`), each with a target of its own, +1 or -1."""
    fixed = {"survival": zipfs.survival(config.alpha, ITEMS), "labels": zipfs.targets(ITEMS, config.split_seed)}
    return _stream(config, Spec("index", (), 1, "squared_error", sizes=(ITEMS,), stream="zipf"), fixed)


def manifold(config: TaskConfig, cache_dir: Path) -> Task:
    """A smooth function on a manifold of `task.dimension` dimensions, which inputs of 16 or more hide."""
    ambient = max(AMBIENT, config.dimension)
    fixed = dataclasses.asdict(manifolds.manifold(config.dimension, ambient, config.split_seed))
    return _stream(config, Spec("vector", (ambient,), 1, "squared_error", stream="manifold"), fixed)


def _stream(config: TaskConfig, spec: Spec, fixed: Mapping[str, np.ndarray] | None = None) -> Task:
    """The splits are streams of their own. What they are drawn from follows from the settings alone."""
    if config.path:
        raise ConfigError(f"task.path: {config.path}; allowed: none with task.name={config.name}, which is drawn")
    if config.folds:
        raise ConfigError(f"task.folds: {config.folds}; allowed: 0 with task.name={config.name}, which never repeats")
    fixed = dict(fixed or {})
    return Task(
        name=config.name,
        spec=dataclasses.replace(spec, source="stream"),
        train={"stream": np.array(0, np.int32)},
        valid={"stream": np.array(1, np.int32)},
        heldout={"stream": np.array(1, np.int32)},
        content_hash=content_hash(np.frombuffer(config.name.encode(), np.uint8), *fixed.values()),
        fixed=fixed,
    )
