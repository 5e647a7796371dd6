"""Texts in every form, and the corpus that is made of them."""

import json
import random

import numpy as np
import pytest

from scaling_laws.corpora import prepare, sources
from scaling_laws.corpora.work import Order, Recipe
from scaling_laws.tasks import manifest
from scaling_laws.tasks.manifest import index_name
from scaling_laws.tasks.task import SPLITS
from scaling_laws.tasks.tokenizer import Bytes

WORDS = """the quick brown fox jumps över a lazy dog while seven large wizards make 毒 brew""".split()  # noqa: SIM905


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """No waiting for the disk: what a power cut would do is not tested here."""
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture(scope="session")
def texts():
    """`texts(n, seed)`: n different texts of 20 to 80 words."""

    def texts(n, seed=0):
        rng = random.Random(seed)
        return [f"{seed}:{k} " + " ".join(rng.choices(WORDS, k=rng.randint(20, 80))) for k in range(n)]

    return texts


@pytest.fixture
def lines():
    """`lines(path, texts)`: a JSONL file of them."""

    def lines(path, texts):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps({"id": k, "text": text}) + "\n" for k, text in enumerate(texts)))
        return path

    return lines


@pytest.fixture
def made(tmp_path):
    """`made(source, ...)`: the folder of the corpus made of it; options of `prepare.prepare` and of a recipe."""

    def made(source, out="out", workers=1, unit_bytes=20_000, stop=lambda: False, sample_bytes=10**9, **recipe):
        found = Recipe(**{"valid_fraction": 0.2, "heldout_fraction": 0.2} | recipe)
        units = sources.units([str(each) for each in np.atleast_1d(source)], found.column, unit_bytes)
        order = Order(units, found, sample_bytes=sample_bytes)
        prepare.prepare(order, tmp_path / out, workers, stop, say=lambda _: None)
        return tmp_path / out

    return made


@pytest.fixture(scope="session")
def documents():
    """`documents(folder)`: split -> the texts in a corpus of bytes, in their order, read from the files themselves."""

    def documents(folder):
        found = manifest.read(folder)
        return {
            name: [
                raw.decode()
                for shard in found.shards[name]
                for raw in Bytes().decode(np.fromfile(folder / shard.name, np.uint8))
            ]
            for name in SPLITS
        }

    return documents


@pytest.fixture(scope="session")
def indices():
    """`indices(folder)`: (shard, its tokens, its index) of all splits."""

    def indices(folder):
        found = manifest.read(folder)
        for name in SPLITS:
            for shard in found.shards[name]:
                tokens = np.fromfile(folder / shard.name, np.dtype(found.dtype))
                yield shard, tokens, np.load(folder / index_name(shard.name), allow_pickle=False)

    return indices
