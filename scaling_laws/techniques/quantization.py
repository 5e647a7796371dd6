"""Rounding to a few bits: settings, and how many steps a width has. No JAX here; the compiled step's part stands in
`scaling_laws.train.rounding`, what of a model is rounded in `scaling_laws.techniques.stored`.

Symmetric: a scale is the largest absolute value over 2^(bits-1) - 1/2, and a number becomes the nearest of the
2^bits - 1 multiples of it that are left and right of 0 alike, so that the outermost ones are as much in use as the
others. Against a scale of the largest value over 2^(bits-1) - 1, the error of normal weights, 128 a scale, is .72, .86,
.95 and 1.01 times as large at 2, 3, 4 and 8 bits.
"""

import dataclasses

from scaling_laws.fields import setting

LEAST, MOST = 2, 8  # bits
FULL = 32  # of a number that is not rounded
GRANULARITIES = ("tensor", "channel", "group")
WHENS = ("training", "after")
ROUNDED = ("weight", "activation")  # the first word of the settings of their bits


@dataclasses.dataclass(frozen=True)
class QuantizeConfig:
    """Bits are arguments of the compiled step, so another width compiles nothing."""

    weight_bits: int = setting(0, "bits of the matrices of the blocks, 2 to 8; 0: full precision", low=0, high=MOST)
    activation_bits: int = setting(
        0,
        "bits of what those matrices multiply, with a scale for each of its vectors, of what is convolved for each "
        "picture; 0: full precision",
        low=0,
        high=MOST,
    )
    granularity: str = setting(
        "channel",
        "what shares a scale of the weights: a tensor, an output channel, or quantize.group inputs of one",
        choices=GRANULARITIES,
    )
    group: int = setting(32, "granularity=group: inputs that share a scale", low=1, high=65536)
    ends: bool = setting(False, "the first layer's matrix or table, and the head's, too")
    when: str = setting(
        "training",
        "rounded in every forward pass, gradients as if it were not; or only in evaluations, after a training without",
        choices=WHENS,
    )


def unread(quantize: QuantizeConfig) -> tuple[str, ...]:
    """Settings that nothing reads where others are as they are."""
    if not (quantize.weight_bits or quantize.activation_bits):
        return ("granularity", "group", "ends", "when")
    if not quantize.weight_bits:
        return ("granularity", "group")
    return () if quantize.granularity == "group" else ("group",)


def form(quantize: QuantizeConfig) -> QuantizeConfig:
    """What a program depends on: 8 for any bits."""
    default = QuantizeConfig()
    bits = {f"{name}_bits": MOST for name in ROUNDED if getattr(quantize, f"{name}_bits")}
    return dataclasses.replace(quantize, **bits, **{name: getattr(default, name) for name in unread(quantize)})


def steps(bits: int) -> float:
    """Scales from 0 to the largest absolute value; 0 for full precision."""
    return 2 ** (bits - 1) - 0.5 if bits else 0.0


def arguments(quantize: QuantizeConfig) -> dict[str, float]:
    """The numbers that are arguments of a program."""
    return {f"quantize.{name}_steps": steps(getattr(quantize, f"{name}_bits")) for name in ROUNDED}


def strengths(quantize: QuantizeConfig) -> dict[str, float]:
    """Name -> one over its bits of each that is in use."""
    after = "_after" if quantize.when == "after" else ""
    bits = {f"quantize_{name}s{after}": getattr(quantize, f"{name}_bits") for name in ROUNDED}
    return {name: 1 / value for name, value in bits.items() if value}
