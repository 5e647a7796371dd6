"""The task over a prepared corpus: what it reads, and what it refuses of one that is not as its manifest says."""

import dataclasses
import json

import numpy as np
import pytest
from shards_corpus import corpus

from scaling_laws.config import ConfigError, TaskConfig
from scaling_laws.tasks import catalog, host, manifest, order, tokenizer
from scaling_laws.tasks.samples import Sample
from scaling_laws.tasks.task import SPLITS, Task


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return corpus(tmp_path_factory.mktemp("shards"))


@pytest.fixture
def copy(folder, tmp_path):
    """A corpus of one's own, to damage."""
    import shutil

    return shutil.copytree(folder, tmp_path / "copy")


def config(folder, **changes):
    return TaskConfig(**{"name": "shards", "path": str(folder), "context": 16} | changes)


def whole(folder, name):
    """All tokens of a split, read from the files themselves."""
    found = manifest.read(folder)
    return np.concatenate([np.fromfile(folder / shard.name, found.dtype) for shard in found.shards[name]])


def test_the_task_is_the_corpus(folder, tmp_path):
    task, found = catalog.load(config(folder), tmp_path), manifest.read(folder)
    assert task.content_hash == json.loads((folder / "manifest.json").read_text())["sha256"]
    assert [task.length(name) for name in SPLITS] == [len(whole(folder, name)) for name in SPLITS]
    assert task.unique_tokens == found.total("tokens", "train")
    assert (task.spec.outputs, task.spec.shape, task.spec.source) == (256, (16,), "windows")
    assert task.token_bytes[whole(folder, "heldout")].sum() == found.total("text_bytes", "heldout")


@pytest.mark.parametrize("split", SPLITS)
def test_windows_are_the_tokens_at_their_places(split, folder, tmp_path):
    task, tokens = catalog.load(config(folder), tmp_path), whole(folder, split)
    places = order.places(task, 0, 5, 3, 8) if split == "train" else order.evaluated(task, split, 500)
    assert places.dtype == np.int64
    wanted = tokens[places[..., None] + np.arange(17)]
    assert np.array_equal(task.windows(split, places.ravel()), wanted.reshape(-1, 17))
    for room in (0, 50):
        arrays, starts = host.read(task, split, places, room)
        assert np.array_equal(arrays["tokens"][starts[..., None] + np.arange(17)], wanted)
        assert len(arrays["tokens"]) == 17 * max(room, places.size)
        names = np.array([host.names(task.spec, arrays, start) for start in starts.ravel()])
        assert np.array_equal(names, places.ravel())


def test_rows_of_others_are_not_read(folder, tmp_path, monkeypatch):
    task, read = catalog.load(config(folder), tmp_path), []
    places, windows = order.places(task, 0, 5, 3, 8), Task.windows
    monkeypatch.setattr(Task, "windows", lambda self, *about: read.append(about[1]) or windows(self, *about))
    every, starts = host.read(task, "train", places, 50)
    own, same = host.read(task, "train", places, 50, rows=np.array([2, 5]))
    assert np.array_equal(starts, same)
    assert np.array_equal(own["names"], every["names"])
    assert np.array_equal(read[1], places[:, [2, 5]].ravel())
    found, whole = (each["tokens"][starts[..., None] + np.arange(17)] for each in (own, every))
    assert np.array_equal(found[:, [2, 5]], whole[:, [2, 5]])
    assert not found[:, [0, 1, 3, 4, 6, 7]].any()


def test_byte_pairs(tmp_path):
    folder = corpus(tmp_path, tokenizer="bpe", vocab_size=300)
    task = catalog.load(config(folder, tokenizer="bpe", vocab_size=300), tmp_path)
    assert task.spec.outputs == 300
    codec = tokenizer.BytePairs((folder / "tokenizer.json").read_text())
    assert np.array_equal(task.token_bytes, codec.token_bytes)
    assert task.windows("train", np.zeros(1, int)).dtype == np.uint16
    with pytest.raises(ConfigError, match=r"task.tokenizer: bytes; allowed: bpe, as .* was prepared"):
        catalog.load(config(folder), tmp_path)
    with pytest.raises(ConfigError, match=r"task.vocab_size: 400; allowed: 300, as .* was prepared"):
        catalog.load(config(folder, tokenizer="bpe", vocab_size=400), tmp_path)


def test_a_sample_of_windows_is_read_again_and_again(folder, tmp_path):
    task = catalog.load(config(folder), tmp_path)
    found = order.places(task, 0, 0, 6, 4, Sample(unique=8))
    assert len(np.unique(found)) == 8


def test_two_corpora_of_the_same_text_are_one(folder, tmp_path):
    other = corpus(tmp_path)
    assert catalog.load(config(other), tmp_path).content_hash == catalog.load(config(folder), tmp_path).content_hash
    cut = corpus(tmp_path / "cut", split_seed=1)
    assert catalog.load(config(cut), tmp_path).content_hash != catalog.load(config(folder), tmp_path).content_hash


def flip(path, at=-1):
    raw = bytearray(path.read_bytes())
    raw[at] ^= 1
    path.write_bytes(raw)


@pytest.mark.parametrize(
    "damage, line",
    [
        (lambda f: flip(f / "train-00001.tokens", 5), "train-00001.tokens is not what the manifest says: its SHA-256"),
        (lambda f: flip(f / "valid-00000.index.npy"), "valid-00000.index.npy is not what the manifest says"),
        (lambda f: (f / "heldout-00000.tokens").unlink(), "heldout-00000.tokens is missing; allowed: every shard"),
        (lambda f: (f / "train-00000.tokens").write_bytes(b"to be"), "train-00000.tokens has 5 bytes; allowed: "),
        (lambda f: (f / "manifest.json").unlink(), "no manifest.json in .*; allowed: a folder of prepare_corpus"),
        (lambda f: (f / "manifest.json").write_text("{"), "manifest.json is no manifest; allowed"),
        (lambda f: (f / "manifest.json").write_text('{"sha256": "", "shards": []}'), "manifest.json is no manifest"),
        (lambda f: (f / "manifest.json").write_text('{"format": 2, "parts": []}'), "has format 2; allowed: 1"),
    ],
)
def test_damage_is_named(damage, line, copy, tmp_path):
    catalog.load(config(copy), tmp_path / "cache")  # sound, and noted to be so
    damage(copy)
    with pytest.raises(ConfigError, match=line) as caught:
        catalog.load(config(copy), tmp_path / "cache")
    assert "\n" not in str(caught.value)


def test_an_edited_manifest_is_refused(copy, tmp_path):
    text = (copy / "manifest.json").read_text()
    (copy / "manifest.json").write_text(text.replace('"duplicates": 0', '"duplicates": 1'))
    with pytest.raises(ConfigError, match=r"manifest.json is damaged: its checksum is another; prepare"):
        catalog.load(config(copy), tmp_path)


def test_what_was_found_sound_is_read_again_only_when_it_changes(copy, tmp_path, monkeypatch):
    read, sha256 = [], manifest.sha256
    monkeypatch.setattr(manifest, "sha256", lambda path: read.append(path.name) or sha256(path))
    catalog.load(config(copy), tmp_path / "cache")
    assert sorted(read) == sorted(path.name for path in copy.iterdir() if path.suffix in (".tokens", ".npy"))
    read.clear()
    catalog.load(config(copy), tmp_path / "cache")
    assert read == []
    (copy / "train-00000.tokens").touch()
    catalog.load(config(copy), tmp_path / "cache")
    assert read == ["train-00000.tokens"]


@pytest.mark.parametrize(
    "changes, line",
    [
        ({"path": ""}, "task.path: empty; allowed: a folder of experiments.prepare_corpus"),
        ({"folds": 3}, "task.folds: 3; allowed: 0 with task.name=shards"),
        ({"context": 30000}, r"task.context: 30000; allowed: at most \d+, for the longest shard of the train split"),
        ({"split_seed": 1}, "task.split_seed: 1; allowed: 0, for task.name=shards with task.path=.* does not read it"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes, line, folder, tmp_path):
    with pytest.raises(ConfigError, match=line):
        catalog.load(config(folder, **changes), tmp_path)


def test_a_bag_is_refused(folder, tmp_path):
    from scaling_laws.config import RunConfig, replace
    from scaling_laws.validation import check_task

    run = replace(dataclasses.replace(RunConfig(), task=config(folder)), {"train.bag": 1})
    with pytest.raises(ConfigError, match=r"train.bag: 1; allowed: 0 with task.name=shards"):
        check_task(run, catalog.load(config(folder), tmp_path).spec)


def test_more_tokens_than_int32_can_index(folder, tmp_path):
    """As many as 10^11 are planned and read like few; here only their number is made up."""
    from scaling_laws.config import RunConfig, replace
    from scaling_laws.sweep.planned import TaskFacts
    from scaling_laws.tasks import samples
    from scaling_laws.tasks.mapped import Tokens

    small = catalog.load(config(folder), tmp_path)
    tokens = Tokens([tmp_path / "none"] * 1000, [10**8] * 1000, "uint16")
    task = dataclasses.replace(small, mapped={**small.mapped, "train": tokens})
    facts = TaskFacts.of(task)
    assert (facts.unique_tokens, facts.data_bytes) == (10**11, 0)
    for unique in (0, 1000):
        run = replace(RunConfig(), {"train.unique_examples": unique, "task.context": 16})
        samples.check(run, task.spec, task.unique_tokens)
    assert order.places(task, 0, 10**6, 2, 32).max() > 2**32
