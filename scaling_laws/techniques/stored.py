"""What of a model is rounded, and the bytes that it takes when it is stored so. No JAX here."""

import math
from collections.abc import Mapping, Sequence

from scaling_laws.parametrization import kind, role
from scaling_laws.techniques.quantization import QuantizeConfig

FULL, SCALE = 4, 4  # bytes of a float32, as which scales and all that is not rounded are stored
BLOCKS, ENDS = ("hidden", "depthwise", "transition"), ("embedding", "head")  # kinds of tensors
LOOKED_UP = ("embedding", "table")  # roles of which a row, not a column, is what one input gives: a row has the scale


def is_rounded(quantize: QuantizeConfig, path: Sequence[str], shape: Sequence[int]) -> bool:
    """Whether the tensor at `path`, names from the root down, is where weights are."""
    if not quantize.weight_bits or len(shape) < 2:
        return False
    return kind(path) in (BLOCKS + ENDS if quantize.ends else BLOCKS)


def inputs_axis(path: Sequence[str]) -> int:
    """The axis, from the end, of the numbers that share a scale of a channel: those that one output sums over."""
    return -1 if role(path) in LOOKED_UP else -2


def n_scales(quantize: QuantizeConfig, path: Sequence[str], shape: Sequence[int]) -> int:
    """How many a rounded tensor has; layers that are stacked under a scan have each their own."""
    *stacked, _, _ = shape
    if quantize.granularity == "tensor":
        return math.prod(stacked)
    inputs = shape[inputs_axis(path)]
    groups = math.ceil(inputs / quantize.group) if quantize.granularity == "group" else 1
    return math.prod(shape) // inputs * groups


def model_bytes(quantize: QuantizeConfig, shapes: Mapping[str, Sequence[int]]) -> int | None:
    """Bytes of tensors by name (`block_0/mlp/up`): what is rounded at its bits, each tensor to a whole byte, with its
    scales; the rest, and the scales, in float32. None where no weights are rounded."""
    if not quantize.weight_bits:
        return None
    total = 0
    for name, shape in shapes.items():
        path, size = name.split("/"), math.prod(shape)
        if is_rounded(quantize, path, shape):
            total += math.ceil(quantize.weight_bits * size / 8) + SCALE * n_scales(quantize, path, shape)
        else:
            total += FULL * size
    return total
