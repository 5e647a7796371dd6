"""Vision transformer: a picture's squares as a sequence, each of which sees all.

Dimensions: B batch, H height, W width, C channels, L squares, D width of the residual stream, O outputs.
"""

import dataclasses

import jax.numpy as jnp
from flax import linen as nn

from scaling_laws.config import ModelConfig
from scaling_laws.models.auxiliary import give_back
from scaling_laws.models.layers import ACTIVATIONS, WATCHED, Norm, dense, parameter
from scaling_laws.models.transformer import blocks
from scaling_laws.parametrization import Rules
from scaling_laws.spec import Spec


def squares(inputs_BxHxWxC, side: int):
    """(B, L, side x side x C): the squares of each picture, row by row; in each the pixels row by row."""
    batch, height, width, channels = inputs_BxHxWxC.shape
    rows, columns = height // side, width // side
    cut = inputs_BxHxWxC.reshape(batch, rows, side, columns, side, channels).transpose(0, 1, 3, 2, 4, 5)
    return cut.reshape(batch, rows * columns, side * side * channels)


class Vit(nn.Module):
    """Pictures to outputs in float32. Parameters are float32 too; the products run in `model.dtype`."""

    model: ModelConfig
    rules: Rules
    spec: Spec

    @nn.compact
    def __call__(self, inputs_BxHxWxC):
        """(B, H, W, C) numbers to (B, O) float32."""
        model, rules = self.model, self.rules
        x_BxLxP = squares(inputs_BxHxWxC, model.patch).astype(model.dtype)
        _, length, size = x_BxLxP.shape
        x_BxLxD = dense(x_BxLxP, parameter(self, rules, "input", (size, model.width)), end=True)
        x_BxLxD = x_BxLxD + parameter(self, rules, "position", (length, model.width)).astype(x_BxLxD.dtype)
        self.sow(ACTIVATIONS, "embedded", x_BxLxD)
        # positions are learned here whatever `model.positions` says: nothing is rotated
        x_BxLxD = blocks(dataclasses.replace(model, positions="learned"), rules, x_BxLxD, causal=False)
        x_BxLxD = Norm(rules, model.norm == "layer", name="final_norm")(x_BxLxD)
        self.sow(ACTIVATIONS, "normalised", x_BxLxD)
        x_BxD = x_BxLxD.mean(axis=1)
        give_back(self, x_BxD, inputs_BxHxWxC)
        head_DxO = parameter(self, rules, "head", (model.width, self.spec.outputs))
        outputs_BxO = rules.forward.logits * dense(x_BxD, head_DxO, jnp.float32, end=True)
        self.sow(WATCHED, "logit_mean", outputs_BxO.mean())
        return outputs_BxO
