"""The flag --bootstrap, one for all binaries whose intervals rest on as many resamples."""

from absl import flags

_BOOTSTRAP = flags.DEFINE_integer("bootstrap", 1000, "resamples behind intervals and bands", lower_bound=10)


def count() -> int:
    """How many resamples are asked for."""
    return _BOOTSTRAP.value
