"""The memoriser of Hutter 2021: a table of `width` numbers for the `width` most frequent items; there is no depth."""

from scaling_laws.compute import Counts, LayerCount
from scaling_laws.config import ConfigError, ModelConfig
from scaling_laws.families.family import Family
from scaling_laws.spec import Spec


def count(model: ModelConfig, spec: Spec) -> Counts:
    """Counts an example: a lookup costs nothing."""
    return Counts((LayerCount("head", model.width, 0),))


def check(model: ModelConfig) -> None:
    """There is one table. Raises ConfigError."""
    if model.depth != 1:
        raise ConfigError(f"model.depth: {model.depth}; allowed: 1 with model.family=memoriser")


MEMORISER = Family(
    module="scaling_laws.models.memoriser:Memoriser",
    count=count,
    inputs=("index",),
    width="items that are told apart, the most frequent ones",
    depth="always 1",
    branches=lambda model: 0,
    check=check,
)
