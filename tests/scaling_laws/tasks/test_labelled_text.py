"""Texts with classes: bytes as they are read, and a made-up set that is neither trivial nor hopeless."""

import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_laws.config import ConfigError, TaskConfig
from scaling_laws.tasks import labelled_text, topics

SPLITS = ("train", "valid", "heldout")


def load(path="", **settings):
    return labelled_text.load(TaskConfig(name="labelled_text", path=str(path), **settings), None)


def write(place, header, rows):
    with place.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return place


@settings(max_examples=50, deadline=None)
@given(
    texts=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1),
    context=st.integers(1, 9),
)
def test_bytes_come_back_from_the_inputs_up_to_the_context(texts, context):
    raw = [text.encode() for text in texts]
    found = labelled_text.padded(raw, context)
    assert (found.shape, found.dtype) == ((len(texts), context), np.int32)
    assert [bytes(row.astype(np.uint8)).rstrip(b"\0") for row in found] == [text[:context] for text in raw]


def test_a_file_is_read_with_its_classes_and_cut_texts_are_counted(tmp_path):
    rows = [[f"né {k}" + "!" * (k % 9), ["spam", "ham"][k % 2]] for k in range(40)]
    task = load(write(tmp_path / "a.csv", ["body", "label"], rows), context=8)
    assert (task.spec.inputs, task.spec.shape, task.spec.sizes, task.spec.outputs) == ("tokens", (8,), (256,), 2)
    assert (task.spec.targets, task.spec.source, task.spec.loss) == (1, "examples", "cross_entropy")
    found = {}
    for name in SPLITS:
        for text, code in zip(task.split(name)["inputs"], task.split(name)["targets"], strict=True):
            found.setdefault(bytes(text.astype(np.uint8)), set()).add(int(code))
    names = {"ham": 0, "spam": 1}
    expected = {}
    for text, label in rows:
        expected.setdefault(text.encode()[:8].ljust(8, b"\0"), set()).add(names[label])
    assert found == expected
    longer = sum(len(text.encode()) > 8 for text, _ in rows)
    assert task.notes == ("classes: 0 'ham', 1 'spam'", f"{longer} texts of more than task.context = 8 bytes cut there")


def test_columns_are_found_by_name_or_by_being_the_only_other(tmp_path):
    rows = [[str(k), f"text {k}", f"title {k}", ["a", "b"][k % 2]] for k in range(30)]
    task = load(write(tmp_path / "a.csv", ["id", "text", "title", "kind"], rows), target="kind")
    assert bytes(task.train["inputs"][0, :5].astype(np.uint8)) == b"text "
    with pytest.raises(ConfigError, match=r"which column is the text\? 'id', 'words', 'title'; allowed: one called"):
        load(write(tmp_path / "b.csv", ["id", "words", "title", "kind"], rows), target="kind")


def test_equal_texts_go_into_one_split(tmp_path):
    rows = [[f"text {k % 12}", ["a", "b"][k % 2]] for k in range(60)]
    task = load(write(tmp_path / "a.csv", ["text", "label"], rows))
    sets = [{row.tobytes() for row in task.split(name)["inputs"]} for name in SPLITS]
    assert sum(map(len, sets)) == len(set.union(*sets)) == 12


def test_balance_and_hash(tmp_path):
    rows = [[f"text {k}", "a" if k % 4 else "b"] for k in range(60)]
    place = write(tmp_path / "a.csv", ["text", "label"], rows)
    task = load(place, balance=True)
    counts = np.bincount(task.train["targets"])
    np.testing.assert_allclose(task.fixed["class_weights"], counts.sum() / (2 * counts), rtol=1e-6)
    assert load(place).content_hash == task.content_hash
    rows[0][1] = "a"
    assert load(write(place, ["text", "label"], rows)).content_hash != task.content_hash


def test_made_up_sentences_are_told_apart_and_not_quite():
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB

    texts, labels = topics.sentences(4000)
    assert [labels.count(topic) > 700 for topic in topics.TOPICS] == [True] * 5
    counts = CountVectorizer().fit_transform(texts)
    right = MultinomialNB().fit(counts[:3000], labels[:3000]).score(counts[3000:], labels[3000:])
    assert 0.75 < right < 0.97
    assert topics.sentences(50) == (texts[:50], labels[:50])
    assert len(set(texts)) > 3900


def test_four_thousand_examples_by_default_or_as_many_as_asked():
    assert sum(load().length(name) for name in SPLITS) == 4000
    assert sum(load(examples=100).length(name) for name in SPLITS) == 100
    assert load().spec.outputs == 5
