"""Tokens: what goes in comes out, bytes are counted right, and training gives one answer."""

import hashlib
import itertools
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_laws.config import ConfigError
from scaling_laws.tasks import tokenizer
from scaling_laws.tasks.tokenizer import BytePairs, Bytes, train_byte_pairs

TEXTS = [
    f"the cat number {n} sat on the other mat, and the dog {n * n} did not; été 漢字 😀\n".encode() for n in range(200)
]
texts = st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=80), max_size=5)


@pytest.fixture(scope="module")
def pairs() -> BytePairs:
    return train_byte_pairs(TEXTS, 400)


@settings(max_examples=200, deadline=None)
@given(texts)
def test_bytes_round_trip(documents):
    raw = [document.encode() for document in documents]
    tokens = Bytes().encode(raw)
    assert Bytes().decode(tokens) == raw
    assert tokens.dtype == np.uint8
    assert Bytes().token_bytes[tokens].sum() == sum(map(len, raw))


@settings(max_examples=200, deadline=None)
@given(documents=texts)
def test_byte_pairs_round_trip(pairs, documents):
    raw = [document.encode() for document in documents]
    tokens = pairs.encode(raw)
    assert pairs.decode(tokens) == raw
    assert tokens.dtype == np.uint16
    assert pairs.token_bytes[tokens].sum() == sum(map(len, raw))
    assert np.count_nonzero(tokens == tokenizer.SEPARATOR) == len(raw)


@pytest.mark.parametrize(
    "text", ["<|doc|>", "a <|doc|> b<|doc|>", "\0", "\r\n\t  \n", "\u2028\ufeff\U0010ffff", "ab" * 3000]
)
def test_hostile_texts_round_trip(pairs, text):
    assert pairs.decode(pairs.encode([text.encode()])) == [text.encode()]


def test_a_document_cannot_forge_a_separator(pairs):
    assert np.flatnonzero(pairs.encode([b"x <|doc|> y"]) == 0).size == 1
    with pytest.raises(ValueError, match="document 1 holds the byte 0 at byte 2"):
        Bytes().encode([b"fine", b"no\0"])


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet=" \n\t\r'ths1é.\u3000\x1c", max_size=60))
def test_a_long_document_has_the_tokens_of_its_parts(pairs, text):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokenizer, "PART", 2)
        cut, tokens = list(tokenizer.parts(text)), pairs.encode([text.encode(), b"the cat"])
    assert "".join(cut) == text
    assert pairs.decode(tokens) == [text.encode(), b"the cat"]
    if all(one[-1].strip() and two[0] in " \n" for one, two in itertools.pairwise(cut)):  # none within a word
        assert tokens.tolist() == pairs.encode([text.encode(), b"the cat"]).tolist()


def test_vocabulary_is_separator_bytes_and_merges(pairs):
    assert len(pairs.pieces) == 400
    assert pairs.pieces[0] == b""
    assert sorted(pairs.pieces[1:257]) == [bytes([byte]) for byte in range(256)]
    assert len(set(pairs.pieces)) == 400
    assert all(len(piece) >= 2 for piece in pairs.pieces[257:])
    assert "été".encode() in pairs.pieces or b" the" in pairs.pieces


def test_merges_compress_and_the_first_is_the_commonest_pair():
    documents = [b"zq zq zq zq ab"] * 3
    trained = train_byte_pairs(documents, 258)
    assert trained.pieces[257] == b"zq"
    assert len(trained.encode([b"zqzq"])) == 3


def test_the_library_reads_the_same_bytes(pairs):
    """Second source: the library's own byte-level decoder."""
    from tokenizers import Tokenizer, decoders

    engine = Tokenizer.from_str(pairs.definition)
    engine.decoder = decoders.ByteLevel()
    tokens = pairs.encode(TEXTS[:20])
    assert engine.decode(tokens.tolist(), skip_special_tokens=True).encode() == b"".join(TEXTS[:20])


SCRIPT = """
import hashlib
from scaling_laws.tasks.tokenizer import train_byte_pairs
texts = [f"word{n % 37} other{n % 11} thing{n % 5} \\u00e9{n}".encode() for n in range(2000)]
print(hashlib.sha256(train_byte_pairs(texts, 370).definition.encode()).hexdigest())
"""


def test_training_is_the_same_in_every_process():
    runs = [
        subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, env=env).stdout
        for env in ({"TOKENIZERS_PARALLELISM": "false"}, {"TOKENIZERS_PARALLELISM": "true", "PYTHONHASHSEED": "7"})
    ]
    assert runs[0] == runs[1]
    assert len(runs[0].strip()) == len(hashlib.sha256().hexdigest())


def test_too_large_a_vocabulary_says_what_is_possible():
    with pytest.raises(ConfigError, match=r"task.vocab_size: 5000; allowed: at most \d+, for the train split has no"):
        train_byte_pairs([b"hello hello hello"], 5000)


def test_a_megabyte_without_a_space_takes_no_time():
    began = time.process_time()
    pairs = train_byte_pairs([b"x" * 1_000_000], 267)  # x doubled ten times, to the longest word
    assert max(map(len, pairs.pieces)) == tokenizer.LONGEST_WORD
    assert len(pairs.encode([b"x" * 1_000_000])) < 1000 + 10
    assert time.process_time() - began < 5
