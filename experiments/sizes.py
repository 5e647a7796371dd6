"""Flags of the binaries that compare sizes: which axis, which widths and depths, which parametrisations."""

from collections.abc import Sequence

from absl import flags

from experiments import cli
from scaling_laws.config import ConfigError, RunConfig, replace

AXES = ("width", "depth")

_AXES = flags.DEFINE_list("axes", list(AXES), "which sizes vary: width, depth")
_WIDTHS = flags.DEFINE_list("widths", [], "widths compared; none: multiples of the base width")
_DEPTHS = flags.DEFINE_list("depths", [], "depths compared; none: multiples of the base depth")
_BESIDE = flags.DEFINE_list("beside", [], "parametrisations shown beside the configuration's own, such as standard")


def axes() -> list[str]:
    """The axes asked for. Raises ConfigError for others, and for none."""
    for axis in _AXES.value:
        if axis not in AXES:
            raise ConfigError(f"--axes: {axis!r}; allowed: {', '.join(AXES)}")
    if not _AXES.value:
        raise ConfigError(f"--axes: none; allowed: {', '.join(AXES)}")
    return list(dict.fromkeys(_AXES.value))


def parametrizations(config: RunConfig) -> list[str]:
    """The configuration's own first, then those beside it."""
    return list(dict.fromkeys([config.train.parametrization, *_BESIDE.value]))


def shapes(config: RunConfig, axis: str, growth: Sequence[int]) -> list[RunConfig]:
    """The run at each size along `axis`, ascending; by default at these multiples of the base shape, and where that is
    not set of the model's own. Raises ConfigError for what is no size.
    """
    model, train = config.model, config.train
    base = {name: getattr(train, f"base_{name}") or getattr(model, name) for name in AXES}
    given = {"width": _WIDTHS.value, "depth": _DEPTHS.value}[axis]
    sizes = cli.whole_numbers(f"--{axis}s", given) if given else [base[axis] * factor for factor in growth]
    other = {f"model.{name}": getattr(model, name) or base[name] for name in AXES if name != axis}
    return [replace(config, other | {f"model.{axis}": size}) for size in sizes]
