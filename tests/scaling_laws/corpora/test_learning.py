"""The sample that a vocabulary is learnt from: as large as asked, and no larger than memory has room for."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from scaling_laws.corpora import learning

ROOT = Path(__file__).parents[3]


def unlike(n, seed=0):
    """n bytes of words of eight letters, hardly any twice."""
    letters = "".join(random.Random(seed).choices("abcdefghijklmnopqrstuvwxyz", k=n))
    return " ".join(letters[k : k + 7] for k in range(0, n * 7 // 8, 7)).encode()


def test_few_words_are_taken_up_to_the_bytes_asked_for():
    documents = [b"the same words again, 1 and 2.\n" * 100] * 50
    assert learning.bounded(documents, 10**9) == documents
    taken = learning.bounded(documents, 31 * 100 * 20)
    assert b"".join(documents).startswith(b"".join(taken))
    assert 0.9 * 31 * 100 * 20 < len(b"".join(taken)) <= 31 * 100 * 20


@pytest.mark.parametrize("spaces", [True, False])
def test_many_words_are_taken_up_to_theirs(spaces):
    documents = [unlike(50_000, seed) for seed in range(20)]
    documents = documents if spaces else [raw.replace(b" ", b"\n", 9).replace(b" ", b"") for raw in documents]
    taken = learning.bounded(documents, 10**6, 300_000)
    assert b"".join(documents).startswith(b"".join(taken))
    assert 200_000 < len(b"".join(taken)) < 400_000


def test_a_small_sample_of_a_large_document_is_not_empty():
    assert 9_000 < len(learning.bounded([unlike(1_000_000)], 10_000)[0]) <= 10_000


@pytest.mark.slow
def test_learning_from_nothing_but_unlike_words_takes_bounded_memory():
    """8 MB of them would take 1 GiB; the processes beside it have a quarter of a GiB together."""
    code = """
import resource
from scaling_laws.corpora import learning
from scaling_laws.tasks import tokenizer
from tests.scaling_laws.corpora.test_learning import unlike
documents = learning.bounded([unlike(1_000_000, seed) for seed in range(8)], 32_000_000)
tokenizer.train_byte_pairs(documents, 4096)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert int(said) < 700 * 1024
