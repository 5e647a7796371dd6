"""The text task from a folder to tokens, and what the catalogue refuses."""

import subprocess
import sys

import numpy as np
import pytest

from scaling_laws.config import ConfigError, TaskConfig
from scaling_laws.tasks import catalog, text
from scaling_laws.tasks.task import SPLITS
from scaling_laws.tasks.tokenizer import Bytes


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "texts"
    place.mkdir()
    for number in range(30):
        (place / f"{number:02d}.txt").write_text(f"Document {number} says what it says, {number} times. " * 20)
    return place


def tokens(task, name):
    return task.split(name)["tokens"]


def config(folder, **changes):
    return TaskConfig(**{"path": str(folder), "context": 32} | changes)


def test_default_task(tmp_path):
    task = catalog.load(TaskConfig(), tmp_path)
    hashes = [digest for part in task.documents.values() for digest in part]
    assert len(hashes) == len(set(hashes)) == 249
    assert [len(tokens(task, name)) for name in SPLITS] == [10353688, 618987, 1213325]
    assert task.spec.outputs == 256
    assert task.unique_tokens == len(tokens(task, "train"))
    assert sum(int(task.token_bytes[tokens(task, name)].sum()) for name in SPLITS) == 12185751
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", SPLITS)
def test_tokens_are_the_documents_of_their_split(folder, tmp_path, name):
    settings = config(folder)
    task = catalog.load(settings, tmp_path / "cache")
    assert b"".join(Bytes().decode(tokens(task, name))) == text.raw_bytes(settings, name)
    assert len(task.documents[name]) == np.count_nonzero(tokens(task, name) == 0)


def test_renamed_files_give_the_same_task(folder, tmp_path):
    before = catalog.load(config(folder), tmp_path)
    for file in sorted(folder.iterdir()):
        file.rename(folder / f"{99 - int(file.stem)}.txt")
    after = catalog.load(config(folder), tmp_path)
    assert before.content_hash == after.content_hash
    assert all(np.array_equal(tokens(before, name), tokens(after, name)) for name in SPLITS)


def test_byte_pairs_come_back_from_the_cache(folder, tmp_path, monkeypatch):
    settings = config(folder, tokenizer="bpe", vocab_size=280)
    first = catalog.load(settings, tmp_path / "cache")
    monkeypatch.setattr(text.tokenizer, "train_byte_pairs", None)
    again = catalog.load(settings, tmp_path / "cache")
    assert all(np.array_equal(tokens(first, name), tokens(again, name)) for name in SPLITS)
    assert (again.spec.outputs, again.notes) == (280, ())
    assert tokens(again, "train").dtype == np.uint16
    assert not tokens(again, "train").flags.writeable
    assert np.array_equal(first.token_bytes, again.token_bytes)
    assert again.token_bytes[tokens(again, "heldout")].sum() == len(text.raw_bytes(settings, "heldout"))


def test_a_damaged_cache_is_built_again_and_said(folder, tmp_path):
    settings = config(folder, tokenizer="bpe", vocab_size=280)
    first = catalog.load(settings, tmp_path)
    (file,) = tmp_path.glob("*/train.npy")
    file.write_bytes(file.read_bytes()[:-3])
    again = catalog.load(settings, tmp_path)
    assert len(again.notes) == 1
    assert "damaged and built again" in again.notes[0]
    assert np.array_equal(tokens(first, "train"), tokens(again, "train"))
    assert catalog.load(settings, tmp_path).notes == ()


def test_merges_are_learnt_from_the_train_split_only(folder, tmp_path, monkeypatch):
    seen = []
    real = text.tokenizer.train_byte_pairs

    def spy(documents, size):
        seen.extend(documents)
        return real(documents, size)

    monkeypatch.setattr(text.tokenizer, "train_byte_pairs", spy)
    settings = config(folder, tokenizer="bpe", vocab_size=270)
    catalog.load(settings, tmp_path)
    assert b"".join(seen) == text.raw_bytes(settings, "train")


def test_another_split_or_vocabulary_is_another_entry(folder, tmp_path):
    for changes in ({}, {"vocab_size": 275}, {"split_seed": 1}):
        catalog.load(config(folder, **{"tokenizer": "bpe", "vocab_size": 270} | changes), tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 3


def test_a_cache_that_cannot_be_written_is_said(folder, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(text.cache, "save", refuse)
    task = catalog.load(config(folder, tokenizer="bpe", vocab_size=270), tmp_path)
    assert "token cache not written" in task.notes[0]
    assert task.spec.outputs == 270


LOAD = """
import sys
from pathlib import Path
from scaling_laws.config import TaskConfig
from scaling_laws.tasks import catalog
task = catalog.load(TaskConfig(path=sys.argv[1], context=32, tokenizer="bpe", vocab_size=300), Path(sys.argv[2]))
print(task.train["tokens"].tolist()[-500:], task.notes)
"""


def test_processes_may_build_at_once(folder, tmp_path):
    command = [sys.executable, "-c", LOAD, str(folder), str(tmp_path / "cache")]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    answers = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    assert len(set(answers)) == 1
    assert answers[0].strip().endswith("()")
    files = sorted(file.name for file in (tmp_path / "cache").glob("*/*"))
    assert files == ["heldout.npy", "manifest.json", "tokenizer.json", "train.npy", "valid.npy"]


def test_too_long_a_context_says_what_is_possible(folder, tmp_path):
    with pytest.raises(ConfigError, match=r"task.context: 4096; allowed: at most \d+, for the valid split"):
        catalog.load(config(folder, context=4096), tmp_path)
    longest = catalog.load(config(folder), tmp_path).length("valid") - 1
    catalog.load(config(folder, context=longest), tmp_path)
    with pytest.raises(ConfigError, match=f"allowed: at most {longest},"):
        catalog.load(config(folder, context=longest + 1), tmp_path)


@pytest.mark.parametrize("changes, line", [({"folds": 1}, "task.folds: 1; allowed"), ({"fold": 2}, "task.fold: 2")])
def test_folds_that_are_none_are_refused(folder, tmp_path, changes, line):
    with pytest.raises(ConfigError, match=line):
        catalog.load(config(folder, **changes), tmp_path)


def test_folds_share_out_the_documents(folder, tmp_path):
    tasks = [catalog.load(config(folder, folds=3, fold=fold), tmp_path) for fold in range(3)]
    held = [digest for task in tasks for digest in task.documents["heldout"]]
    assert len(held) == len(set(held)) == 30
    assert len({task.content_hash for task in tasks}) == 1
    assert text.raw_bytes(config(folder, folds=3, fold=1), "heldout").count(b"Document") == 20 * len(
        tasks[1].documents["heldout"]
    )
    with pytest.raises(ConfigError, match=r"task.folds: 31; allowed: at most 30"):
        catalog.load(config(folder, folds=31), tmp_path)


def test_unknown_names(folder, tmp_path):
    with pytest.raises(ConfigError, match=r"task.name: 'txt'; allowed: text, .*; did you mean text\?"):
        catalog.load(config(folder, name="txt"), tmp_path)
    with pytest.raises(ValueError, match="split: 'test'; allowed: train, valid, heldout"):
        catalog.load(config(folder), tmp_path).split("test")
