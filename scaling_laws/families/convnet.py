"""The convolutional network, residual as in He et al. 2016b (arXiv:1603.05027): width is the channels of the first
stage, depth the blocks of each of the three stages.

A 3 x 3 convolution of the picture, then stages of width, 2 width and 4 width channels. A block adds to the stream what
norm, activation, convolution, norm, activation, convolution make of it; between the two `model.slim` leaves fewer
channels. Between two stages the picture is halved
(`halved`) and a product over the channels doubles them. A convolution is a full one, or with
`model.convolution=separable` a kernel for each channel followed by a product over the channels (Chollet 2017,
arXiv:1610.02357; Howard et al. 2017, arXiv:1704.04861, section 3.1); the first one, of few channels, is always full.
"""

import dataclasses

from scaling_laws.compute import Counts, LayerCount
from scaling_laws.config import ModelConfig, left
from scaling_laws.families.auxiliary import with_auxiliary
from scaling_laws.families.family import Family
from scaling_laws.spec import Spec

SIDE = 3  # of a kernel
TAPS = SIDE * SIDE
STAGES = 3


def channels(model: ModelConfig, stage: int) -> int:
    """Channels of the stage 0, 1 or 2."""
    return model.width << stage


def halved(length: int) -> int:
    """Rows (or columns) after pooling by two: where their number is odd, the last one stands alone."""
    return (length + 1) // 2


def convolution_params(kind: str, inputs: int, outputs: int) -> int:
    """Parameters of one convolution from `inputs` to `outputs` channels: k^2 i o, or separable k^2 i + i o.

    So is the number of its products at each place of the picture, padding included. Separable over standard, this is
    1 / outputs + 1 / k^2 exactly (Howard et al. 2017, section 3.1).
    """
    return inputs * (TAPS + outputs) if kind == "separable" else TAPS * inputs * outputs


def count(model: ModelConfig, spec: Spec) -> Counts:
    """Counts an example. The first convolution stands on the data: no gradient of its input is ever taken."""
    height, width, colours = spec.shape
    stem, last = TAPS * colours * model.width, channels(model, STAGES - 1)
    norms, *products = below(model, spec, blocks(model))
    return Counts(
        (
            LayerCount("embedding", stem, 2 * height * width * stem, 1),
            dataclasses.replace(norms, n_params=norms.n_params + _norm_params(model, last)),
            *products,
            with_auxiliary(LayerCount("head", last * spec.outputs, 2 * last * spec.outputs), model, spec, last),
        )
    )


def below(model: ModelConfig, spec: Spec, n_blocks: int) -> tuple[LayerCount, ...]:
    """The first blocks, with the products between their stages."""
    height, width, _ = spec.shape
    norms = kernels = kernel_flops = transitions = transition_flops = 0
    for index in range(n_blocks):
        stage, place = divmod(index, model.depth)
        size = channels(model, stage)
        if stage and not place:
            height, width = halved(height), halved(width)
            transitions += size // 2 * size
            transition_flops += 2 * height * width * (size // 2) * size
        inner = left(model, size)
        pairs = ((size, inner), (inner, size))
        own_kernels = sum(convolution_params(model.convolution, *pair) for pair in pairs)
        kernels += own_kernels
        kernel_flops += 2 * height * width * own_kernels
        norms += sum(_norm_params(model, inputs) for inputs, _ in pairs)
    return (
        LayerCount("norm", norms, 0),
        LayerCount("convolution", kernels, kernel_flops),
        LayerCount("transition", transitions, transition_flops),
    )


def _norm_params(model: ModelConfig, size: int) -> int:
    """Scales, and biases of layer norm."""
    return size * (2 if model.norm == "layer" else 1)


def blocks(model: ModelConfig) -> int:
    """Of all stages together; each adds once to the stream."""
    return STAGES * model.depth


def kept(model: ModelConfig, spec: Spec) -> float:
    """Numbers an example that the forward pass keeps for the backward pass, roughly."""
    height, width, _ = spec.shape
    total, separable = height * width * model.width, model.convolution == "separable"
    for stage in range(STAGES):
        if stage:
            height, width = halved(height), halved(width)
        size = channels(model, stage)
        total += height * width * (size + model.depth * (size + left(model, size)) * (3 + separable))
    return spec.features + total + 2 * spec.outputs


CONVNET = Family(
    module="scaling_laws.models.convnet:Convnet",
    count=count,
    inputs=("image",),
    width="channels of the first of three stages; the others have twice and four times as many",
    depth="residual blocks a stage",
    reads=("convolution", "activation", "norm", "head_init", "slim", "auxiliary"),
    blocks=blocks,
    branches=blocks,
    head_inputs=lambda model: channels(model, STAGES - 1),
    kept=kept,
    below=below,
    direct=("transition",),
    drops=lambda model: True,
)
