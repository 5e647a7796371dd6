"""The multilayer perceptron: width hidden units a layer, depth hidden layers; of depth 0 a linear or logistic
regression.

Everything that a task gives is laid out as one vector. The layers after the first add to what they see (He et al.
2016), unless `model.residual` says no: then it is the textbook's.
"""

from scaling_laws.compute import Counts, LayerCount
from scaling_laws.config import ModelConfig
from scaling_laws.families.auxiliary import with_auxiliary
from scaling_laws.families.family import Family
from scaling_laws.spec import Spec


def count(model: ModelConfig, spec: Spec) -> Counts:
    """Counts an example. The first layer stands on the data: no gradient of its input is ever taken."""
    width, bias = model.width, int(model.bias)
    if model.depth == 0:
        layers = (LayerCount("head", (spec.features + bias) * spec.outputs, 2 * spec.features * spec.outputs, 1),)
        return Counts(layers)
    head = LayerCount("head", (width + bias) * spec.outputs, 2 * width * spec.outputs)
    layers = (
        LayerCount("embedding", (spec.features + bias) * width, 2 * spec.features * width, 1),
        *below(model, spec, model.depth - 1),
        with_auxiliary(head, model, spec, width),
    )
    return Counts(layers)


def below(model: ModelConfig, spec: Spec, n_blocks: int) -> tuple[LayerCount, ...]:
    """The hidden layers after the first, so many of them."""
    width, bias = model.width, int(model.bias)
    return (LayerCount("mlp", n_blocks * (width + bias) * width, n_blocks * 2 * width * width),)


def kept(model: ModelConfig, spec: Spec) -> float:
    """Numbers an example that the forward pass keeps for the backward pass, roughly."""
    return spec.features + 2 * model.depth * model.width + 2 * spec.outputs


MLP = Family(
    module="scaling_laws.models.mlp:Mlp",
    count=count,
    inputs=("vector", "image"),
    width="hidden units a layer",
    depth="hidden layers",
    reads=("activation", "bias", "residual", "head_init", "auxiliary"),
    least_depth=0,
    blocks=lambda model: max(model.depth - 1, 0),
    branches=lambda model: max(model.depth - 1, 0) if model.residual else 0,
    kept=kept,
    below=below,
    direct=("mlp", "head"),
    drops=lambda model: model.depth > 0,
)
