"""The decoder-only transformer: width is that of the residual stream, depth the number of blocks."""

import dataclasses
import math

from scaling_laws.compute import Counts, LayerCount
from scaling_laws.config import ConfigError, ModelConfig, head_count, head_size
from scaling_laws.families.family import Family
from scaling_laws.spec import Spec

TILE = 8  # hidden widths are multiples of this
ATTENTION = ("head_dim", "n_heads", "norm", "mlp", "mlp_ratio", "qk_norm", "remat", "layers")  # settings of a block


def mlp_hidden(model: ModelConfig) -> int:
    """Hidden width of the feed-forward branch: mlp_ratio * width to the nearest multiple of 8, at least 8."""
    return max(TILE, TILE * math.floor(model.mlp_ratio * model.width / TILE + 0.5))


def up_columns(model: ModelConfig) -> int:
    """Columns of the feed-forward branch's first matrix: swiglu's gate stands beside its value."""
    return mlp_hidden(model) * (2 if model.mlp == "swiglu" else 1)


def is_scanned(model: ModelConfig) -> bool:
    """Whether the blocks run under one scan: compiling it pays from 12 layers on."""
    return model.layers == "scanned" or (model.layers == "auto" and model.depth >= 12)


def count(model: ModelConfig, spec: Spec) -> Counts:
    """Counts a target: of a token where every place has one (next-token prediction), else of an example.

    `model` must have passed `validation.check_model`: width and depth set, heads dividing the width.
    """
    (length,), places = spec.shape, spec.shape[0] // spec.targets
    width, learned = model.width, model.positions == "learned"
    again = recomputed(model, length)
    layers = (
        LayerCount("embedding", spec.sizes[0] * width, 0),
        LayerCount("position", length * width if learned else 0, 0),
        *body_counts(model, length, places),
        LayerCount("head", 0 if model.tie_embeddings else spec.outputs * width, 2 * spec.outputs * width),
    )
    return Counts(layers, places * again)


def below(model: ModelConfig, spec: Spec, n_blocks: int) -> tuple[LayerCount, ...]:
    """The first blocks."""
    (length,) = spec.shape
    return block_counts(model, length, length // spec.targets, n_blocks)


def body_counts(model: ModelConfig, length: int, places: int) -> tuple[LayerCount, ...]:
    """All blocks and the last norm, on sequences of `length`, `places` of them a target."""
    norms, *products = block_counts(model, length, places, model.depth)
    return (dataclasses.replace(norms, n_params=norms.n_params + _norm_params(model)), *products)


def block_counts(model: ModelConfig, length: int, places: int, depth: int) -> tuple[LayerCount, ...]:
    """Norms, attention and feed-forward branches of `depth` blocks."""
    width = model.width
    queries_and_keys = 2 * head_size(model) if model.qk_norm else 0
    attention, up, down = 4 * width * width, width * up_columns(model), mlp_hidden(model) * width
    return (
        LayerCount("norm", depth * (2 * _norm_params(model) + queries_and_keys), 0),
        LayerCount("attention", depth * attention, places * depth * 2 * attention),
        LayerCount("attention_products", 0, places * depth * 4 * length * width),  # q k^T and p v, 2 L w each
        LayerCount("mlp", depth * (up + down), places * depth * 2 * (up + down)),
    )


def recomputed(model: ModelConfig, length: int) -> int:
    """FLOPs a place that rematerialisation does again.

    A block's output is stored by the next one, so the product that makes it is not done again.
    """
    attention, up = 4 * model.width * model.width, model.width * up_columns(model)
    return model.depth * (2 * (attention + up) + 4 * length * model.width) if model.remat else 0


def _norm_params(model: ModelConfig) -> int:
    """Scales, and biases of layer norm, of one norm over the stream."""
    return model.width * (2 if model.norm == "layer" else 1)


def check_heads(model: ModelConfig) -> None:
    """Heads must divide the width. Raises ConfigError."""
    if model.n_heads == 0 and model.width % model.head_dim and model.width > model.head_dim:
        raise ConfigError(
            f"model.width: {model.width}; "
            f"allowed: a multiple of model.head_dim = {model.head_dim}, or set model.n_heads"
        )
    if model.n_heads and model.width % model.n_heads:
        raise ConfigError(f"model.n_heads: {model.n_heads}; allowed: a divisor of model.width = {model.width}")


def check(model: ModelConfig) -> None:
    """Heads must divide the width, and rotary positions need an even head. Raises ConfigError."""
    check_heads(model)
    if model.positions == "rotary" and head_size(model) % 2:
        raise ConfigError(f"model.head_dim: {head_size(model)}; allowed: an even size with model.positions=rotary")


def kept(model: ModelConfig, spec: Spec) -> float:
    """Numbers a target that the forward pass keeps for the backward pass, roughly."""
    places = spec.shape[0] // spec.targets
    return places * block_kept(model, spec.shape[0]) + 2 * spec.outputs


def block_kept(model: ModelConfig, length: int) -> float:
    """The same of all blocks, a place of sequences of `length`."""
    return model.depth * (12 * model.width + 2 * up_columns(model) + 2 * head_count(model) * length)


TRANSFORMER = Family(
    module="scaling_laws.models.transformer:Transformer",
    count=count,
    inputs=("tokens",),
    width="residual width",
    depth="blocks",
    reads=(*ATTENTION, "positions", "tie_embeddings", "head_init"),
    blocks=lambda model: model.depth,
    check=check,
    kept=kept,
    below=below,
    scanned=is_scanned,
    drops=lambda model: True,
)
