"""A task small enough for a run of seconds, with something in it to be learnt."""

import numpy as np
import pytest

from scaling_laws import spec
from scaling_laws.tasks.catalog import Task

CONTEXT = 16


@pytest.fixture(scope="session")
def task():
    """Text of six words in any order."""
    rng = np.random.default_rng(0)
    words = [rng.integers(1, 256, size=5, dtype=np.uint8) for _ in range(6)]

    def split(n):
        return np.concatenate([words[k] for k in rng.integers(0, 6, size=n)])

    token_bytes = np.ones(256, int)
    token_bytes[0] = 0
    splits = {name: {"tokens": split(n)} for name, n in (("train", 800), ("valid", 200), ("heldout", 400))}
    return Task("text", spec.text(256, CONTEXT), **splits, token_bytes=token_bytes, content_hash="feed")
