"""The Flax module of a family."""

import importlib

from flax import linen as nn

from scaling_laws import families
from scaling_laws.config import ModelConfig
from scaling_laws.parametrization import Rules
from scaling_laws.spec import Spec


def build(model: ModelConfig, spec: Spec, rules: Rules) -> nn.Module:
    """The module of `model.family`: a batch of inputs to float32 outputs, (B, outputs), or (B, L, outputs) where every
    place of a window has a target.

    `rules` is `parametrization.rules(scheme, model)`. Raises ConfigError for an unknown family.
    """
    module, _, name = families.of(model).module.partition(":")
    return getattr(importlib.import_module(module), name)(model, rules, spec)
