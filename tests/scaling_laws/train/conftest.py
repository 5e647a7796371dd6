"""A task small enough for a run of seconds, with something in it to be learnt."""

import numpy as np
import pytest

from scaling_laws.tasks.catalog import Task


@pytest.fixture(scope="session")
def task():
    """Text of six words in any order."""
    rng = np.random.default_rng(0)
    words = [rng.integers(1, 256, size=5, dtype=np.uint8) for _ in range(6)]

    def split(n):
        return np.concatenate([words[k] for k in rng.integers(0, 6, size=n)])

    token_bytes = np.ones(256, int)
    token_bytes[0] = 0
    documents = {"train": (), "valid": (), "heldout": ()}
    return Task("text", split(800), split(200), split(400), 256, token_bytes, "feed", documents)
