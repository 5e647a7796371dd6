"""Windows read from files, against the same tokens in memory."""

import numpy as np
import pytest

from scaling_laws.tasks import mapped
from scaling_laws.tasks.mapped import Tokens

LENGTHS = (500, 37, 1200, 64)


@pytest.fixture(params=["uint8", "uint16"])
def both(request, tmp_path):
    """The tokens of four files, and all of them as one array."""
    rng, files, parts = np.random.default_rng(0), [], []
    for number, length in enumerate(LENGTHS):
        parts.append(rng.integers(0, 256 if request.param == "uint8" else 65536, length).astype(request.param))
        files.append(tmp_path / f"{number}.tokens")
        files[-1].write_bytes(parts[-1].astype(np.dtype(request.param).newbyteorder("<")).tobytes())
    return Tokens(files, LENGTHS, request.param), np.concatenate(parts)


@pytest.mark.parametrize("forgotten", [1 << 26, 100])
def test_windows_are_those_of_the_tokens(forgotten, both, monkeypatch):
    monkeypatch.setattr(mapped, "FORGOTTEN", forgotten)
    tokens, whole = both
    assert len(tokens) == len(whole)
    rng, begins = np.random.default_rng(1), np.cumsum([0, *LENGTHS[:-1]])
    for length in (1, 17, 37):
        shards = rng.integers(0, 4, 200)
        starts = begins[shards] + [rng.integers(0, LENGTHS[shard] - length + 1) for shard in shards]
        found = tokens.windows(starts, length)
        assert found.dtype == whole.dtype
        assert np.array_equal(found, whole[starts[:, None] + np.arange(length)])


def test_nothing_is_read_before_it_is_asked_for(both):
    tokens, whole = both
    for file in (tokens.files[1], tokens.files[2]):
        file.unlink()
    assert np.array_equal(tokens.windows(np.array([3]), 5)[0], whole[3:8])
    with pytest.raises(FileNotFoundError):
        tokens.windows(np.array([600]), 5)
