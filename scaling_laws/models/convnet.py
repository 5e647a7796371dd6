"""Residual convolutional network: pre-activation blocks (He et al. 2016b, figure 4e), without statistics of the batch.

Dimensions: B batch, H height, W width, C channels, O outputs.
"""

import jax.numpy as jnp
from flax import linen as nn

from scaling_laws.config import ModelConfig, left
from scaling_laws.families.convnet import STAGES, TAPS, channels, halved
from scaling_laws.models.auxiliary import give_back
from scaling_laws.models.convolution import convolve, depthwise
from scaling_laws.models.hooks import dropped
from scaling_laws.models.layers import ACTIVATIONS, WATCHED, Norm, activated, dense, parameter
from scaling_laws.parametrization import Rules
from scaling_laws.spec import Spec


class Convolution(nn.Module):
    """A full 3 x 3 convolution, or one a channel and a product over the channels; without a bias, for a norm or the
    stream follows."""

    model: ModelConfig
    rules: Rules
    role: str  # up, or down for what is added to the stream
    outputs: int

    @nn.compact
    def __call__(self, x_BxHxWxC):
        """(B, H, W, C) to (B, H, W, O)."""
        size = x_BxHxWxC.shape[-1]
        if self.model.convolution == "separable":
            each_BxHxWxC = depthwise(x_BxHxWxC, parameter(self, self.rules, "depthwise", (TAPS, size)))
            return dense(each_BxHxWxC, parameter(self, self.rules, self.role, (size, self.outputs)))
        return convolve(x_BxHxWxC, parameter(self, self.rules, self.role, (TAPS * size, self.outputs)))


class Block(nn.Module):
    """Two convolutions, each after a norm and an activation, added to the stream; `doubles` where a stage begins:
    the stream itself is then halved in size and doubled in channels before."""

    model: ModelConfig
    rules: Rules
    doubles: bool = False

    @nn.compact
    def __call__(self, x_BxHxWxC):
        """(B, H, W, C) to the same, or to (B, ceil(H / 2), ceil(W / 2), 2 C)."""
        if self.doubles:
            size = x_BxHxWxC.shape[-1]
            x_BxHxWxC = dense(pooled(x_BxHxWxC), parameter(self, self.rules, "transition", (size, 2 * size)))
        added_BxHxWxC, centred = x_BxHxWxC, self.model.norm == "layer"
        size = x_BxHxWxC.shape[-1]
        for index, (role, outputs) in enumerate((("up", left(self.model, size)), ("down", size))):
            added_BxHxWxC = Norm(self.rules, centred, name=f"norm_{index}")(added_BxHxWxC)
            added_BxHxWxC = activated(self.model.activation, added_BxHxWxC)
            added_BxHxWxC = Convolution(self.model, self.rules, role, outputs, name=f"convolution_{index}")(
                added_BxHxWxC
            )
        added_BxHxWxC = dropped(self, added_BxHxWxC)
        self.sow(ACTIVATIONS, "convolution_out", added_BxHxWxC)
        x_BxHxWxC = x_BxHxWxC + self.rules.forward.residual * added_BxHxWxC
        self.sow(ACTIVATIONS, "stream", x_BxHxWxC)
        return x_BxHxWxC


class Convnet(nn.Module):
    """Pictures to outputs in float32. Parameters are float32 too; the products run in `model.dtype`."""

    model: ModelConfig
    rules: Rules
    spec: Spec

    @nn.compact
    def __call__(self, pictures):
        """(B, H, W, colours) to (B, O) float32."""
        model, rules = self.model, self.rules
        centred, colours = model.norm == "layer", pictures.shape[-1]
        stem = parameter(self, rules, "input", (TAPS * colours, model.width))
        x_BxHxWxC = convolve(pictures.astype(model.dtype), stem, end=True)
        self.sow(ACTIVATIONS, "embedded", x_BxHxWxC)
        for index in range(STAGES * model.depth):
            doubles = index > 0 and index % model.depth == 0
            x_BxHxWxC = Block(model, rules, doubles, name=f"block_{index}")(x_BxHxWxC)
        x_BxHxWxC = Norm(rules, centred, name="final_norm")(x_BxHxWxC)
        self.sow(ACTIVATIONS, "normalised", x_BxHxWxC)
        x_BxC = activated(model.activation, x_BxHxWxC).mean(axis=(1, 2))
        give_back(self, x_BxC, pictures)
        head = parameter(self, rules, "head", (channels(model, STAGES - 1), self.spec.outputs))
        outputs_BxO = rules.forward.logits * dense(x_BxC, head, jnp.float32, end=True)
        self.sow(WATCHED, "logit_mean", outputs_BxO.mean())
        return outputs_BxO


def pooled(x_BxHxWxC):
    """(B, ceil(H / 2), ceil(W / 2), C): means over squares of two by two; at an odd edge over what is there."""
    batch, height, width, size = x_BxHxWxC.shape
    rows, columns = halved(height), halved(width)
    edges = ((0, 0), (0, 2 * rows - height), (0, 2 * columns - width), (0, 0))
    even_BxHxWxC = jnp.pad(x_BxHxWxC, edges, mode="edge")  # the mean of a thing and itself is the thing
    return even_BxHxWxC.reshape(batch, rows, 2, columns, 2, size).mean(axis=(2, 4))
