"""Random features: width is their number; a readout of them learns, what makes them does not.

Of numbers they are an activation of a random projection (Rahimi and Recht 2007). Of a task that gives noise alone they
are those of a law, in the basis in which they are independent (`theory.power_law_features`).
"""

from collections.abc import Mapping

import numpy as np

from scaling_laws.compute import Counts, LayerCount
from scaling_laws.config import ConfigError, ModelConfig
from scaling_laws.families.family import Family
from scaling_laws.spec import Spec


def count(model: ModelConfig, spec: Spec) -> Counts:
    """Counts an example. Nothing below the readout learns, so there is no product for it in the backward pass."""
    width = model.width
    if spec.inputs == "noise":
        return Counts((LayerCount("head", width, 2 * width, 1),))
    layers = (
        LayerCount("embedding", 0, 2 * spec.features * width, 0),
        LayerCount("head", (width + int(model.bias)) * spec.outputs, 2 * width * spec.outputs, 1),
    )
    return Counts(layers)


def given(model: ModelConfig, spec: Spec, seed: int) -> Mapping[str, np.ndarray]:
    """What a law says of the features of `seed`: `scales` (w,), `teacher` (w,) and `spread` (1,), float32."""
    if spec.inputs != "noise":
        return {}
    from scaling_laws.theory import power_law_features

    alpha, beta = spec.numbers
    view = power_law_features.spectrum(alpha, beta, model.width, seed)
    arrays = {"scales": np.sqrt(view.eigenvalues), "teacher": view.teacher, "spread": np.sqrt([view.residual])}
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def check(model: ModelConfig) -> None:
    """There is one layer of them. Raises ConfigError."""
    if model.depth != 1:
        raise ConfigError(f"model.depth: {model.depth}; allowed: 1 with model.family=features")


def kept(model: ModelConfig, spec: Spec) -> float:
    """Numbers an example that the forward pass keeps for the backward pass, roughly."""
    return 3 * model.width + 2 * spec.outputs


FEATURES = Family(
    module="scaling_laws.models.features:Features",
    count=count,
    inputs=("noise", "vector", "image"),
    width="random features",
    depth="always 1",
    reads=("activation", "bias", "head_init"),
    branches=lambda model: 0,
    check=check,
    kept=kept,
    given=given,
)
