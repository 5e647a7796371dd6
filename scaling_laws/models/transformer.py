"""Decoder-only pre-norm transformer.

Dimensions: B batch, L length, D width, V vocabulary.
"""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from scaling_laws.compute import is_scanned
from scaling_laws.config import ModelConfig
from scaling_laws.models.layers import WATCHED, Attention, Mlp, Norm, dense, parameter
from scaling_laws.models.loss import cross_entropy
from scaling_laws.parametrization import Rules

ACTIVATIONS = "activations"  # a collection of Flax: what each layer computes, for whoever asks for it


class Block(nn.Module):
    """Attention and feed-forward branch, each after a norm, added to the residual stream."""

    model: ModelConfig
    rules: Rules

    @nn.compact
    def __call__(self, x_BxLxD):
        """(B, L, D) to (B, L, D)."""
        centred, scale = self.model.norm == "layer", self.rules.forward.residual
        for name, kind in (("attention", Attention), ("mlp", Mlp)):
            branch = kind(self.model, self.rules, name=name)
            added_BxLxD = branch(Norm(self.rules, centred, name=f"{name}_norm")(x_BxLxD))
            self.sow(ACTIVATIONS, f"{name}_out", added_BxLxD)
            x_BxLxD = x_BxLxD + scale * added_BxLxD
        self.sow(ACTIVATIONS, "stream", x_BxLxD)
        return x_BxLxD


class ScanBlock(Block):
    """A block in the shape that `nn.scan` wants: carry in, carry and nothing out."""

    def __call__(self, x_BxLxD, _):
        """(B, L, D) to ((B, L, D), None)."""
        return super().__call__(x_BxLxD), None


class Transformer(nn.Module):
    """Tokens to logits or losses, in float32. Parameters are float32 too; the products run in `model.dtype`."""

    model: ModelConfig
    rules: Rules
    vocab_size: int
    context: int

    @nn.compact
    def __call__(self, tokens_BxL, targets_BxL=None, chunks=1, with_log_z=False):
        """(B, L) integers to (B, L, V) float32 logits, or to (B, L) losses where `targets` are given, in `chunks` and
        with ln Z as `loss.cross_entropy` has them; position t sees tokens up to t.

        What each layer computes can be had as the collection ACTIVATIONS, the largest attention logit of each block
        and the mean of the logits as WATCHED. Raises ValueError where L is beyond the
        context of learned positions.
        """
        forward, width = self.rules.forward, self.model.width
        table_VxD = parameter(self, self.rules, "embedding", (self.vocab_size, width))
        x_BxLxD = self.embed(table_VxD, tokens_BxL)
        self.sow(ACTIVATIONS, "embedded", x_BxLxD)
        x_BxLxD = self.blocks(x_BxLxD)
        x_BxLxD = Norm(self.rules, self.model.norm == "layer", name="final_norm")(x_BxLxD)
        self.sow(ACTIVATIONS, "normalised", x_BxLxD)
        if self.model.tie_embeddings:
            head_DxV = table_VxD.T
        else:
            head_DxV = parameter(self, self.rules, "head", (width, self.vocab_size))

        def logits(x):
            return forward.logits * dense(x, head_DxV, jnp.float32)

        if self.is_mutable_collection(WATCHED):
            self.sow(WATCHED, "logit_mean", logits(x_BxLxD[:1]).mean())
        if targets_BxL is None:
            return logits(x_BxLxD)
        return cross_entropy(logits, x_BxLxD, targets_BxL, chunks, with_log_z)

    def embed(self, table_VxD, tokens_BxL):
        """(B, L) integers to (B, L, D): the residual stream's first value, in the compute dtype."""
        x_BxLxD = self.rules.forward.embedding * table_VxD[tokens_BxL]
        if self.model.positions == "learned":
            length = tokens_BxL.shape[1]
            if length > self.context:
                raise ValueError(f"{length} tokens a window; allowed: at most {self.context} with learned positions")
            shape = (self.context, self.model.width)
            x_BxLxD = x_BxLxD + parameter(self, self.rules, "position", shape)[:length]
        return x_BxLxD.astype(self.model.dtype)

    def blocks(self, x_BxLxD):
        """The residual stream after all blocks."""
        if is_scanned(self.model):
            block = nn.remat(ScanBlock, prevent_cse=False) if self.model.remat else ScanBlock
            stacked: Any = {"params": 0, ACTIVATIONS: 0, WATCHED: 0}
            scan = nn.scan(block, variable_axes=stacked, split_rngs={"params": True}, length=self.model.depth)
            return scan(self.model, self.rules, name="blocks")(x_BxLxD, None)[0]
        block = nn.remat(Block) if self.model.remat else Block
        for index in range(self.model.depth):
            x_BxLxD = block(self.model, self.rules, name=f"block_{index}")(x_BxLxD)
        return x_BxLxD
