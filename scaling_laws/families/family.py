"""What a family is: what its width and its depth mean, what it costs, and which settings it reads. No JAX here."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from scaling_laws.compute import Counts, LayerCount
from scaling_laws.config import ModelConfig
from scaling_laws.spec import Spec

COMMON = ("family", "width", "depth", "dtype")  # settings that any family may read


def _nothing(*_: Any) -> None:
    return None


def _width(model: ModelConfig) -> int:
    return model.width


def _two_a_layer(model: ModelConfig) -> int:
    return 2 * model.depth


def _never(_: ModelConfig) -> bool:
    return False


def _no_blocks(_: ModelConfig) -> int:
    return 0


@dataclasses.dataclass(frozen=True)
class Family:
    """A family of models over width and depth.

    `module`: `package.module:Class`, a Flax module built from (model, rules, spec) that turns a batch of inputs into
    (B, outputs) float32; imported only where something is trained. `count`: parameters and FLOPs from (model, spec).
    `inputs`: kinds of inputs that it takes (`Spec.inputs`). `reads`: settings of ModelConfig beside COMMON. `blocks`:
    how many parts of the parameters are named block_0, block_1, .. `branches`: how many outputs are added to the
    residual stream one after the other. `head_inputs`: numbers that the head sees. `check`: raises ConfigError for a
    model that cannot be; `check_spec`: for one that cannot take examples of such a form. `kept`: numbers a target that
    the forward pass keeps for the backward pass, roughly. `given`: tensors of (model, spec, seed) that are not drawn by
    a rule, by name. `below`: the layers of the first so many blocks, by kind as `count` has them; None where blocks do
    not follow one another, so that none can rest. `direct`: kinds of which a block, or the head, applies one to the
    stream itself, not to what a norm with a scale makes of it. `scanned`: whether the blocks are stacked under a scan.
    `drops`: whether there is a hidden layer, or a branch, of which a share could be dropped.
    """

    module: str
    count: Callable[[ModelConfig, Spec], Counts]
    inputs: tuple[str, ...]
    width: str  # what it means
    depth: str
    reads: tuple[str, ...] = ()
    least_depth: int = 1
    blocks: Callable[[ModelConfig], int] = _no_blocks
    branches: Callable[[ModelConfig], int] = _two_a_layer
    head_inputs: Callable[[ModelConfig], int] = _width
    check: Callable[[ModelConfig], None] = _nothing
    check_spec: Callable[[ModelConfig, Spec], None] = _nothing
    kept: Callable[[ModelConfig, Spec], float] = lambda model, spec: 0.0
    given: Callable[[ModelConfig, Spec, int], Mapping[str, np.ndarray]] = lambda model, spec, seed: {}
    below: Callable[[ModelConfig, Spec, int], tuple[LayerCount, ...]] | None = None
    direct: tuple[str, ...] = ()
    scanned: Callable[[ModelConfig], bool] = _never
    drops: Callable[[ModelConfig], bool] = _never
