"""The vision transformer: width is that of the residual stream, depth the number of blocks.

Dosovitskiy et al. 2021 ("An image is worth 16x16 words"), with the mean over places before the head in place of a class
token (Zhai et al. 2022, section 3.2).
"""

from scaling_laws.compute import Counts, LayerCount
from scaling_laws.config import ConfigError, ModelConfig
from scaling_laws.families.auxiliary import with_auxiliary
from scaling_laws.families.family import Family
from scaling_laws.families.transformer import (
    ATTENTION,
    block_counts,
    block_kept,
    body_counts,
    check_block,
    is_scanned,
    recomputed,
)
from scaling_laws.spec import Spec


def places(model: ModelConfig, spec: Spec) -> int:
    """Squares that a picture of `spec.shape`, (H, W, C), is cut into."""
    height, width, _ = spec.shape
    return (height // model.patch) * (width // model.patch)


def check_spec(model: ModelConfig, spec: Spec) -> None:
    """Raises ConfigError where the squares do not fill the pictures."""
    height, width, _ = spec.shape
    if height % model.patch or width % model.patch:
        raise ConfigError(
            f"model.patch: {model.patch}; allowed: a divisor of height and width of the pictures, {height} x {width}"
        )


def count(model: ModelConfig, spec: Spec) -> Counts:
    """Counts a picture. The first product stands on the pixels: no gradient of its input is ever taken."""
    length, width = places(model, spec), model.width
    layers = (
        LayerCount("embedding", spec.features // length * width, 2 * spec.features * width, 1),
        LayerCount("position", length * width, 0),
        *body_counts(model, length, length),
        with_auxiliary(LayerCount("head", spec.outputs * width, 2 * spec.outputs * width), model, spec, width),
    )
    return Counts(layers, length * recomputed(model, length))


def below(model: ModelConfig, spec: Spec, n_blocks: int) -> tuple[LayerCount, ...]:
    """The first blocks."""
    length = places(model, spec)
    return block_counts(model, length, length, n_blocks)


def kept(model: ModelConfig, spec: Spec) -> float:
    """Numbers a picture that the forward pass keeps for the backward pass, roughly."""
    length = places(model, spec)
    return spec.features + length * block_kept(model, length) + 2 * spec.outputs


VIT = Family(
    module="scaling_laws.models.vit:Vit",
    count=count,
    inputs=("image",),
    width="residual width",
    depth="blocks",
    reads=(*ATTENTION, "patch", "head_init", "auxiliary"),
    blocks=lambda model: model.depth,
    check=check_block,
    check_spec=check_spec,
    kept=kept,
    below=below,
    scanned=is_scanned,
    drops=lambda model: True,
)
