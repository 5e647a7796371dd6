"""A small prepared corpus, for the tests of whatever reads one."""

import json
import random

from scaling_laws.corpora import prepare, sources
from scaling_laws.corpora.work import Order, Recipe

WORDS = "to be or not that is the question whether tis nobler in mind".split()  # noqa: SIM905


def corpus(folder, n=400, unit_bytes=20_000, **recipe):
    """The folder of a corpus of `n` texts, made below `folder`."""
    rng, folder = random.Random(0), folder / "corpus"
    folder.parent.mkdir(parents=True, exist_ok=True)
    source = folder.with_name("texts.jsonl")
    texts = (f"{k} " + " ".join(rng.choices(WORDS, k=rng.randint(20, 80))) for k in range(n))
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    chosen = Recipe(**{"valid_fraction": 0.2, "heldout_fraction": 0.2} | recipe)
    order = Order(sources.units([str(source)], "text", unit_bytes), chosen)
    prepare.prepare(order, folder, say=lambda _: None)
    return folder
