"""What generated data share: a fixed stream of random numbers, and how many examples are asked for.

The seed is the data set's own, not the configuration's: like a file, it is the same for every run. A row takes its
random numbers before the next row does, so fewer examples are the first of more.
"""

import numpy as np

from scaling_laws.config import ConfigError, TaskConfig

MOST_EXAMPLES = 5_000_000


def generator(seed: int) -> np.random.Generator:
    """A stream that stays the same over versions of numpy as far as PCG64 does."""
    return np.random.Generator(np.random.PCG64(seed))


def count(config: TaskConfig, default: int, most: int = MOST_EXAMPLES) -> int:
    """`task.examples`, or `default` where it is 0. Raises ConfigError for more than `most`."""
    if config.examples > most:
        raise ConfigError(f"task.examples: {config.examples}; allowed: at most {most} with task.name={config.name}")
    return config.examples or default


def noise(config: TaskConfig, default: float) -> float:
    """`task.noise`, or `default` where it is 0."""
    return config.noise or default
