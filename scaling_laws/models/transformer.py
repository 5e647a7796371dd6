"""Decoder-only pre-norm transformer.

Dimensions: B batch, L length, D width, V vocabulary, O outputs.
"""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from scaling_laws.config import ModelConfig
from scaling_laws.families.transformer import is_scanned
from scaling_laws.models.auxiliary import look_ahead
from scaling_laws.models.experts import BALANCE, Experts
from scaling_laws.models.hooks import DROPOUT, dropped
from scaling_laws.models.layers import ACTIVATIONS, WATCHED, Attention, Mlp, Norm, dense, parameter
from scaling_laws.models.loss import cross_entropy
from scaling_laws.parametrization import Rules
from scaling_laws.spec import Spec

PADDING = 0  # the token that fills a text up to the context, where a text has one target


class Block(nn.Module):
    """Attention and feed-forward branch, each after a norm, added to the residual stream."""

    model: ModelConfig
    rules: Rules
    causal: bool = True

    @nn.compact
    def __call__(self, x_BxLxD):
        """(B, L, D) to (B, L, D)."""
        centred, scale = self.model.norm == "layer", self.rules.forward.residual
        attention = Attention(self.model, self.rules, self.causal, name="attention")
        mlp = (Experts if self.model.experts > 1 else Mlp)(self.model, self.rules, name="mlp")
        for name, branch in (("attention", attention), ("mlp", mlp)):
            added_BxLxD = branch(Norm(self.rules, centred, name=f"{name}_norm")(x_BxLxD))
            added_BxLxD = dropped(self, added_BxLxD)
            self.sow(ACTIVATIONS, f"{name}_out", added_BxLxD)
            x_BxLxD = x_BxLxD + scale * added_BxLxD
        self.sow(ACTIVATIONS, "stream", x_BxLxD)
        return x_BxLxD


class ScanBlock(Block):
    """A block in the shape that `nn.scan` wants: carry in, carry and nothing out."""

    def __call__(self, x_BxLxD, _):
        """(B, L, D) to ((B, L, D), None)."""
        return super().__call__(x_BxLxD), None


def blocks(model: ModelConfig, rules: Rules, x_BxLxD: Any, causal: bool = True) -> Any:
    """The residual stream after all blocks, which are named as parts of the module that calls this."""
    if is_scanned(model):
        block = nn.remat(ScanBlock, prevent_cse=False) if model.remat else ScanBlock
        stacked: Any = {"params": 0, ACTIVATIONS: 0, WATCHED: 0, BALANCE: 0}
        scan = nn.scan(block, variable_axes=stacked, split_rngs={"params": True, DROPOUT: True}, length=model.depth)
        return scan(model, rules, causal, name="blocks")(x_BxLxD, None)[0]
    block = nn.remat(Block) if model.remat else Block
    for index in range(model.depth):
        x_BxLxD = block(model, rules, causal, name=f"block_{index}")(x_BxLxD)
    return x_BxLxD


class Transformer(nn.Module):
    """Tokens to logits or losses, in float32. Parameters are float32 too; the products run in `model.dtype`."""

    model: ModelConfig
    rules: Rules
    spec: Spec

    @nn.compact
    def __call__(self, tokens_BxL, targets_BxL=None, chunks=1, with_sums=False):
        """(B, L) integers to (B, L, V) float32 logits, or to (B, L) losses where `targets` are given, in `chunks` and
        with sums as `loss.cross_entropy` has them; position t sees tokens up to t. Where a text has one target, to
        (B, O) from the mean over its places without padding.

        What each layer computes can be had as the collection ACTIVATIONS, the largest attention logit of each block
        and the mean of the logits as WATCHED. Raises ValueError where L is beyond the
        context of learned positions.
        """
        forward, width = self.rules.forward, self.model.width
        table_VxD = parameter(self, self.rules, "embedding", (self.spec.sizes[0], width))
        x_BxLxD = self.embed(table_VxD, tokens_BxL)
        self.sow(ACTIVATIONS, "embedded", x_BxLxD)
        x_BxLxD = blocks(self.model, self.rules, x_BxLxD)
        x_BxLxD = Norm(self.rules, self.model.norm == "layer", name="final_norm")(x_BxLxD)
        self.sow(ACTIVATIONS, "normalised", x_BxLxD)
        if self.model.tie_embeddings:
            head_DxV = table_VxD.T
        else:
            head_DxV = parameter(self, self.rules, "head", (width, self.spec.outputs))
        if self.spec.targets == 1:
            x_BxLxD = pooled(x_BxLxD, tokens_BxL != PADDING)

        look_ahead(self, x_BxLxD, tokens_BxL, chunks)

        def logits(x):
            return forward.logits * dense(x, head_DxV, jnp.float32, end=True)

        if self.is_mutable_collection(WATCHED):
            self.sow(WATCHED, "logit_mean", logits(x_BxLxD[:1]).mean())
        if targets_BxL is None:
            return logits(x_BxLxD)
        return cross_entropy(logits, x_BxLxD, targets_BxL, chunks, with_sums)

    def embed(self, table_VxD, tokens_BxL):
        """(B, L) integers to (B, L, D): the residual stream's first value, in the compute dtype."""
        x_BxLxD = self.rules.forward.embedding * table_VxD[tokens_BxL]
        if self.model.positions == "learned":
            length = tokens_BxL.shape[1]
            (context,) = self.spec.shape
            if length > context:
                raise ValueError(f"{length} tokens a window; allowed: at most {context} with learned positions")
            shape = (context, self.model.width)
            x_BxLxD = x_BxLxD + parameter(self, self.rules, "position", shape)[:length]
        return x_BxLxD.astype(self.model.dtype)


def pooled(x_BxLxD, there_BxL):
    """(B, D): the mean over the places that are there, of every place where none is."""
    shares_BxLx1 = (there_BxL | ~there_BxL.any(axis=1, keepdims=True))[..., None].astype(x_BxLxD.dtype)
    return (x_BxLxD * shares_BxLx1).sum(axis=1) / shares_BxLx1.sum(axis=1)
