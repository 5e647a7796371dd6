"""The token cache: what was written is read, anything else is damage."""

import hashlib
import json

import numpy as np
import pytest

from scaling_laws.tasks import cache

ARRAYS = {"train": np.arange(50, dtype=np.uint16), "valid": np.arange(9, dtype=np.uint16)}


@pytest.fixture
def entry(tmp_path):
    cache.save(tmp_path / "entry", "definition é", ARRAYS)
    return tmp_path / "entry"


def test_round_trip(entry):
    definition, arrays = cache.load(entry, ("train", "valid")) or ("", {})
    assert definition == "definition é"
    assert all(np.array_equal(arrays[name], array) for name, array in ARRAYS.items())
    assert arrays["train"].dtype == np.uint16
    assert sorted(file.name for file in entry.iterdir()) == [
        "manifest.json",
        "tokenizer.json",
        "train.npy",
        "valid.npy",
    ]


def test_nothing_there_is_not_damage(tmp_path):
    assert cache.load(tmp_path / "none", ("train",)) is None


@pytest.mark.parametrize("name", ["manifest.json", "tokenizer.json", "train.npy"])
@pytest.mark.parametrize("harm", ["flip", "cut", "remove"])
def test_damage_is_seen_and_named(entry, name, harm):
    file = entry / name
    raw = bytearray(file.read_bytes())
    if harm == "remove":
        file.unlink()
    else:
        raw[len(raw) // 2] ^= 1
        file.write_bytes(raw if harm == "flip" else raw[: len(raw) // 2])
    if (name, harm) == ("manifest.json", "remove"):
        assert cache.load(entry, ("train", "valid")) is None
        return
    with pytest.raises(cache.Damaged):
        cache.load(entry, ("train", "valid"))


def test_pickled_arrays_are_never_read(entry):
    np.save(entry / "train.npy", np.array([{"any": "object"}]), allow_pickle=True)
    sums = json.loads((entry / "manifest.json").read_text())
    sums["train.npy"] = hashlib.sha256((entry / "train.npy").read_bytes()).hexdigest()
    (entry / "manifest.json").write_text(json.dumps(sums))
    with pytest.raises(cache.Damaged, match=r"train\.npy \(Object arrays"):
        cache.load(entry, ("train", "valid"))


def test_an_entry_of_other_splits_is_damage(entry):
    with pytest.raises(cache.Damaged, match="not the checksums of this entry"):
        cache.load(entry, ("train", "valid", "heldout"))


def test_a_failed_write_leaves_no_trace(entry, monkeypatch):
    def refuse(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.os, "replace", refuse)
    before = sorted(entry.iterdir())
    with pytest.raises(OSError, match="No space"):
        cache.save(entry, "other", ARRAYS)
    assert sorted(entry.iterdir()) == before
    assert (cache.load(entry, ("train", "valid")) or ("", {}))[0] == "definition é"
