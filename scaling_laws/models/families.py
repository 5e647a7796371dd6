"""Families: what a width and a depth mean. A family is one module, built from (model, rules, vocabulary size,
context), and one line of `FAMILIES`.
"""

from collections.abc import Callable

from flax import linen as nn

from scaling_laws.config import ConfigError, ModelConfig, nearest
from scaling_laws.models.transformer import Transformer
from scaling_laws.parametrization import Rules

FAMILIES: dict[str, Callable[..., nn.Module]] = {"transformer": Transformer}


def build(model: ModelConfig, vocab_size: int, context: int, rules: Rules) -> nn.Module:
    """The module of `model.family`: tokens (B, L) to float32 logits (B, L, vocab_size).

    `rules` is `parametrization.rules(name, model)`. Raises ConfigError for an unknown family.
    """
    if model.family not in FAMILIES:
        allowed = ", ".join(FAMILIES)
        raise ConfigError(f"model.family: {model.family!r}; allowed: {allowed}{nearest(model.family, FAMILIES)}")
    return FAMILIES[model.family](model, rules, vocab_size, context)
