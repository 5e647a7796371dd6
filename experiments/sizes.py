"""Flags of the binaries that compare sizes: which axis, which widths and depths, which parametrisations."""

from collections.abc import Sequence

from absl import flags

from experiments import cli, rates
from scaling_laws.config import ConfigError, RunConfig

_AXES = flags.DEFINE_list("axes", list(rates.AXES), "which sizes vary: width, depth")
_WIDTHS = flags.DEFINE_list("widths", [], "widths compared; none: multiples of the base width")
_DEPTHS = flags.DEFINE_list("depths", [], "depths compared; none: multiples of the base depth")
_BESIDE = flags.DEFINE_list("beside", [], "parametrisations shown beside the configuration's own, such as standard")


def axes() -> list[str]:
    """The axes asked for. Raises ConfigError for others, and for none."""
    for axis in _AXES.value:
        if axis not in rates.AXES:
            raise ConfigError(f"--axes: {axis!r}; allowed: {', '.join(rates.AXES)}")
    if not _AXES.value:
        raise ConfigError(f"--axes: none; allowed: {', '.join(rates.AXES)}")
    return list(dict.fromkeys(_AXES.value))


def parametrizations(config: RunConfig) -> list[str]:
    """The configuration's own first, then those beside it."""
    return list(dict.fromkeys([config.train.parametrization, *_BESIDE.value]))


def shapes(config: RunConfig, axis: str, growth: Sequence[int]) -> list[RunConfig]:
    """The run at each of the `values` along `axis`. Raises ConfigError for what is no size."""
    return rates.shapes(config, axis, values(config, axis, growth))


def values(config: RunConfig, axis: str, growth: Sequence[int]) -> list[int]:
    """The widths or depths compared, ascending; by default these multiples of the base's, and where that is not set of
    the model's own. Raises ConfigError for what is no size."""
    given = {"width": _WIDTHS.value, "depth": _DEPTHS.value}[axis]
    if given:
        return cli.whole_numbers(f"--{axis}s", given)
    base = getattr(config.train, f"base_{axis}") or getattr(config.model, axis)
    return [base * factor for factor in growth]
