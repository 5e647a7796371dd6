"""A second head, which learns beside a model's own from the same numbers: what it costs, and where there can be one.

`next` predicts the token after the next one (Gloeckle et al. 2024, "Better & faster large language models via
multi-token prediction", section 2; their heads are a block each, here a matrix); `inputs` gives the input back.
"""

import dataclasses

from scaling_laws.compute import LayerCount, ratio
from scaling_laws.config import ConfigError, ModelConfig
from scaling_laws.spec import Spec


def with_auxiliary(head: LayerCount, model: ModelConfig, spec: Spec, width: int) -> LayerCount:
    """The count of a `head` on `width` numbers with that of the second one, where the model has one."""
    if model.auxiliary == "none":
        return head
    if model.auxiliary == "next":
        matrix = spec.outputs * width
        forward = ratio(2 * matrix * (spec.targets - 2), spec.targets)  # of the last two it lies beyond the window
    else:
        matrix = spec.features * width
        forward = 2 * matrix
    return dataclasses.replace(head, n_params=head.n_params + matrix, forward=head.forward + forward)


def check(model: ModelConfig, spec: Spec) -> None:
    """Raises ConfigError where examples have not what the second head is to predict, or nothing is below it."""
    if model.auxiliary == "next" and spec.targets == 1:
        raise ConfigError("model.auxiliary: next; allowed: none, or inputs of numbers, where places have no next token")
    if model.auxiliary == "inputs" and spec.inputs not in ("vector", "image"):
        raise ConfigError("model.auxiliary: inputs; allowed: none, or next of a text, where inputs are no numbers")
    if model.auxiliary != "none" and model.depth == 0:
        raise ConfigError(f"model.auxiliary: {model.auxiliary}; allowed: none with model.depth=0")
