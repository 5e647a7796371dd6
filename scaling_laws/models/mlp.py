"""Multilayer perceptron; of depth 0 a linear or logistic regression.

Dimensions: B batch, F features, W width, O outputs.
"""

import jax.numpy as jnp
from flax import linen as nn

from scaling_laws.config import ModelConfig
from scaling_laws.models.auxiliary import give_back
from scaling_laws.models.hooks import dropped
from scaling_laws.models.layers import ACTIVATIONS, WATCHED, activated, dense, parameter
from scaling_laws.parametrization import Rules
from scaling_laws.spec import Spec


class Hidden(nn.Module):
    """One hidden layer between others: added to what it sees, scaled as a residual branch, or alone."""

    model: ModelConfig
    rules: Rules

    @nn.compact
    def __call__(self, x_BxW):
        """(B, W) to (B, W)."""
        width, residual = self.model.width, self.model.residual
        matrix = parameter(self, self.rules, "residual" if residual else "hidden", (width, width))
        out_BxW = dense(x_BxW, matrix)
        if self.model.bias:
            out_BxW = out_BxW + parameter(self, self.rules, "bias", (width,)).astype(out_BxW.dtype)
        out_BxW = dropped(self, activated(self.model.activation, out_BxW))
        self.sow(ACTIVATIONS, "mlp_out", out_BxW)
        if residual:
            out_BxW = x_BxW + self.rules.forward.residual * out_BxW
        self.sow(ACTIVATIONS, "stream", out_BxW)
        return out_BxW


class Mlp(nn.Module):
    """Inputs of any form, laid out in a row, to outputs in float32."""

    model: ModelConfig
    rules: Rules
    spec: Spec

    @nn.compact
    def __call__(self, inputs):
        """(B, ...) numbers to (B, O) float32."""
        x_BxF = inputs.reshape(inputs.shape[0], -1).astype(self.model.dtype)
        if self.model.depth == 0:
            outputs_BxO = self.layer("linear", x_BxF, self.spec.outputs, jnp.float32)
        else:
            x_BxW = dropped(self, activated(self.model.activation, self.layer("input", x_BxF, self.model.width)))
            self.sow(ACTIVATIONS, "embedded", x_BxW)
            for index in range(self.model.depth - 1):
                x_BxW = Hidden(self.model, self.rules, name=f"block_{index}")(x_BxW)
            give_back(self, x_BxW, inputs)
            outputs_BxO = self.layer("head", x_BxW, self.spec.outputs, jnp.float32)
        self.sow(WATCHED, "logit_mean", outputs_BxO.mean())
        return outputs_BxO

    def layer(self, name, x, columns, dtype=None):
        """`x @ matrix`, with an intercept where the model has them; the head's product times its multiplier."""
        out = dense(x, parameter(self, self.rules, name, (x.shape[-1], columns)), dtype, end=True)
        if name == "head":
            out = self.rules.forward.logits * out
        if self.model.bias:
            out = out + parameter(self, self.rules, f"{name}_bias", (columns,)).astype(out.dtype)
        return out
