"""Parameters and training FLOPs of an architecture, counted from its configuration alone (no JAX).

Convention: only dense products count, 2 m n k each; attention's two products in full, without what a causal kernel
skips; the backward pass is twice the forward pass, so training is three times it; looking up an embedding is free.
The counts equal the products in the traced program exactly (see scaling_laws.models.traced).
"""

import dataclasses
import math

from scaling_laws.config import ModelConfig, head_size

OUTER_KINDS = ("embedding", "position", "head")  # left out of n_non_embedding
TILE = 8  # hidden widths are multiples of this


@dataclasses.dataclass(frozen=True)
class LayerCount:
    """All layers of one kind together: parameters, and FLOPs a token of the forward and of the backward pass."""

    kind: str
    n_params: int
    forward: int

    @property
    def backward(self) -> int:
        """FLOPs a token of the backward pass: one product for the input's gradient, one for the other operand's."""
        return 2 * self.forward

    @property
    def training(self) -> int:
        """FLOPs a token of forward and backward pass together."""
        return self.forward + self.backward


@dataclasses.dataclass(frozen=True)
class Counts:
    """Counts of one architecture. Every `flops_per_token*` is for training: forward and backward, one token."""

    layers: tuple[LayerCount, ...]
    recomputed: int  # FLOPs a token that rematerialisation does again in the backward pass

    @property
    def n_params(self) -> int:
        """N: every parameter; a tied matrix once."""
        return sum(layer.n_params for layer in self.layers)

    @property
    def n_non_embedding(self) -> int:
        """N without the embedding, position and head matrices (Kaplan et al. 2020, section 2.1)."""
        return sum(layer.n_params for layer in self.layers if layer.kind not in OUTER_KINDS)

    @property
    def n_effective(self) -> int:
        """N plus the parameters whose products cost as much as attention's: its forward FLOPs a token / 2."""
        return self.n_params + self.layer("attention_products").forward // 2

    @property
    def flops_per_token(self) -> int:
        """C / D: every dense product, exactly."""
        return sum(layer.training for layer in self.layers)

    @property
    def flops_per_token_6n(self) -> int:
        """The rule of thumb 6 N, with N = n_params (Kaplan et al. 2020, section 2.1)."""
        return 6 * self.n_params

    @property
    def flops_per_token_non_embedding(self) -> int:
        """C / D without the head's product."""
        return self.flops_per_token - self.layer("head").training

    @property
    def flops_per_token_effective(self) -> int:
        """6 n_effective: the rule of thumb with attention; above the exact count by the lookups that are free."""
        return 6 * self.n_effective

    @property
    def hardware_flops_per_token(self) -> int:
        """`flops_per_token` plus what rematerialisation recomputes."""
        return self.flops_per_token + self.recomputed

    def layer(self, kind: str) -> LayerCount:
        """The layers of `kind`. Raises KeyError where there are none of that name."""
        return {layer.kind: layer for layer in self.layers}[kind]


def mlp_hidden(model: ModelConfig) -> int:
    """Hidden width of the feed-forward branch: mlp_ratio * width to the nearest multiple of 8, at least 8."""
    return max(TILE, TILE * math.floor(model.mlp_ratio * model.width / TILE + 0.5))


def up_columns(model: ModelConfig) -> int:
    """Columns of the feed-forward branch's first matrix: swiglu's gate stands beside its value."""
    return mlp_hidden(model) * (2 if model.mlp == "swiglu" else 1)


def is_scanned(model: ModelConfig) -> bool:
    """Whether the blocks run under one scan: compiling it pays from 12 layers on."""
    return model.layers == "scanned" or (model.layers == "auto" and model.depth >= 12)


def count(model: ModelConfig, vocab_size: int, context: int) -> Counts:
    """Counts of the transformer that `model` describes, for windows of `context` tokens.

    `model` must have passed `validate_run`: width and depth set, heads dividing the width.
    """
    width, depth = model.width, model.depth
    attention, up, down = 4 * width * width, width * up_columns(model), mlp_hidden(model) * width
    products = 4 * context * width  # q k^T and p v, 2 L w each
    table, learned = vocab_size * width, model.positions == "learned"
    layers = (
        LayerCount("embedding", table, 0),
        LayerCount("position", context * width if learned else 0, 0),
        LayerCount("norm", _norm_params(model), 0),
        LayerCount("attention", depth * attention, depth * 2 * attention),
        LayerCount("attention_products", 0, depth * products),
        LayerCount("mlp", depth * (up + down), depth * 2 * (up + down)),
        LayerCount("head", 0 if model.tie_embeddings else table, 2 * table),
    )
    # A block's output is stored by the next one, so the product that makes it is not done again.
    again = depth * (2 * (attention + up) + products) if model.remat else 0
    return Counts(layers, again)


def _norm_params(model: ModelConfig) -> int:
    """Scales (and biases of layer norm) of two norms a block and the last one, and the scales of qk-norm."""
    one = model.width * (2 if model.norm == "layer" else 1)
    queries_and_keys = 2 * head_size(model) if model.qk_norm else 0
    return model.depth * (2 * one + queries_and_keys) + one
