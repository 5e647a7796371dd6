"""The decoder-only transformer: width is that of the residual stream, depth the number of blocks."""

import dataclasses
import math

from scaling_laws.compute import Counts, Flops, LayerCount, ratio
from scaling_laws.config import ConfigError, ModelConfig, head_count, head_size, left
from scaling_laws.families.auxiliary import with_auxiliary
from scaling_laws.families.family import Family
from scaling_laws.spec import Spec

TILE = 8  # hidden widths are multiples of this
# settings of a block
ATTENTION = ("head_dim", "n_heads", "norm", "mlp", "mlp_ratio", "qk_norm", "remat", "layers")
ATTENTION += ("experts", "capacity", "balance", "slim")


def mlp_hidden(model: ModelConfig) -> int:
    """Hidden width of the feed-forward branch: mlp_ratio * width to the nearest multiple of 8, at least 8; and of those
    what is left."""
    return left(model, max(TILE, TILE * math.floor(model.mlp_ratio * model.width / TILE + 0.5)))


def attention_width(model: ModelConfig) -> int:
    """Inner width of attention, of the heads that are left; their size is that of the whole model."""
    return left(model, head_count(model)) * head_size(model)


def up_columns(model: ModelConfig) -> int:
    """Columns of the feed-forward branch's first matrix: swiglu's gate stands beside its value."""
    return mlp_hidden(model) * (2 if model.mlp == "swiglu" else 1)


def expert_places(model: ModelConfig, length: int) -> int:
    """Places of a window of `length` that an expert takes: capacity x length / experts, rounded up (Fedus et al. 2021,
    equation 3), and no more than there are."""
    share = model.capacity * length / model.experts
    return min(length, math.ceil(round(share, 9)))  # 1.1 x 30 / 3 is 11, whatever its last bit says


def expert_share(model: ModelConfig, length: int) -> Flops:
    """Places that all experts take, over those of a window of `length`."""
    return ratio(model.experts * expert_places(model, length), length)


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
    head = LayerCount("head", 0 if model.tie_embeddings else spec.outputs * width, 2 * spec.outputs * width)
    layers = (
        LayerCount("embedding", spec.sizes[0] * width, 0),
        LayerCount("position", length * width if learned else 0, 0),
        *body_counts(model, length, places),
        with_auxiliary(head, model, spec, width),
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
    inner = attention_width(model)
    attention = 4 * width * inner
    return (
        LayerCount("norm", depth * (2 * _norm_params(model) + queries_and_keys), 0),
        LayerCount("attention", depth * attention, places * depth * 2 * attention),
        LayerCount("attention_products", 0, places * depth * 4 * length * inner),  # q k^T and p v, 2 L I each
        *_feed_forward(model, length, places, depth),
    )


def _feed_forward(model: ModelConfig, length: int, places: int, depth: int) -> tuple[LayerCount, ...]:
    """The branch's matrices; of experts each one's at all places that it may take, and the router's."""
    one, n = model.width * up_columns(model) + mlp_hidden(model) * model.width, model.experts
    if n == 1:
        return (LayerCount("mlp", depth * one, places * depth * 2 * one),)
    taken, router = places * expert_share(model, length), model.width * n
    return (
        LayerCount("router", depth * router, places * depth * 2 * router),
        LayerCount("mlp", depth * n * one, ratio(taken * depth * 2 * one, 1), idle=depth * (n - 1) * one),
    )


def recomputed(model: ModelConfig, length: int) -> Flops:
    """FLOPs a place that rematerialisation does again.

    A block's output is stored by the next one, so the product that makes it is not done again; but an expert's is, for
    the router learns from it.
    """
    if not model.remat:
        return 0
    branch = sum(layer.forward for layer in _feed_forward(model, length, 1, 1))
    if model.experts == 1:
        branch -= 2 * mlp_hidden(model) * model.width
    return model.depth * ((8 * model.width + 4 * length) * attention_width(model) + branch)


def _norm_params(model: ModelConfig) -> int:
    """Scales, and biases of layer norm, of one norm over the stream."""
    return model.width * (2 if model.norm == "layer" else 1)


def check_block(model: ModelConfig) -> None:
    """Heads must divide the width, and what experts read needs experts. Raises ConfigError."""
    if model.n_heads == 0 and model.width % model.head_dim and model.width > model.head_dim:
        raise ConfigError(
            f"model.width: {model.width}; "
            f"allowed: a multiple of model.head_dim = {model.head_dim}, or set model.n_heads"
        )
    if model.n_heads and model.width % model.n_heads:
        raise ConfigError(f"model.n_heads: {model.n_heads}; allowed: a divisor of model.width = {model.width}")
    default = ModelConfig()
    for name in ("capacity", "balance"):
        value, usual = getattr(model, name), getattr(default, name)
        if model.experts == 1 and value != usual:
            raise ConfigError(f"model.{name}: {value:g}; allowed: {usual:g} with model.experts=1")


def check(model: ModelConfig) -> None:
    """What a block must be, and rotary positions need an even head. Raises ConfigError."""
    check_block(model)
    if model.positions == "rotary" and head_size(model) % 2:
        raise ConfigError(f"model.head_dim: {head_size(model)}; allowed: an even size with model.positions=rotary")


def kept(model: ModelConfig, spec: Spec) -> float:
    """Numbers a target that the forward pass keeps for the backward pass, roughly."""
    places = spec.shape[0] // spec.targets
    return places * block_kept(model, spec.shape[0]) + 2 * spec.outputs


def block_kept(model: ModelConfig, length: int) -> float:
    """The same of all blocks, a place of sequences of `length`."""
    branch = 2 * up_columns(model)
    if model.experts > 1:
        branch = float(expert_share(model, length)) * (branch + 2 * model.width) + 4 * model.experts
    inner = attention_width(model)
    return model.depth * (7 * model.width + 5 * inner + branch + 2 * left(model, head_count(model)) * length)


TRANSFORMER = Family(
    module="scaling_laws.models.transformer:Transformer",
    count=count,
    inputs=("tokens",),
    width="residual width",
    depth="blocks",
    reads=(*ATTENTION, "positions", "tie_embeddings", "head_init", "auxiliary"),
    blocks=lambda model: model.depth,
    check=check,
    kept=kept,
    below=below,
    scanned=is_scanned,
    drops=lambda model: True,
)
