"""Texts and their classes: a CSV file with a column of text and one of labels, or made-up sentences (`topics`).

A text is read as its UTF-8 bytes, cut after `task.context` of them; a shorter one is filled up with the byte 0, which
no text holds.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scaling_laws.config import ConfigError, TaskConfig
from scaling_laws.spec import Spec
from scaling_laws.tasks import examples, targets
from scaling_laws.tasks.columns import Words, as_bytes
from scaling_laws.tasks.csv_file import MISSING, Csv, listed, read, shown
from scaling_laws.tasks.generated import count
from scaling_laws.tasks.task import Task
from scaling_laws.tasks.topics import sentences

LABEL, TEXT = "label", "text"
DEFAULT_EXAMPLES = 4000
MOST_SENTENCES = 200_000  # they are written one by one
VALUES = 256  # of a byte


def load(config: TaskConfig, cache_dir: Path) -> Task:
    """Texts (n, context) of bytes as int32, and classes; the column of labels is `task.target`, else `label`.

    The text is the column called `text`, or the only other one. Nothing is kept under `cache_dir`. Raises ConfigError
    for a file that cannot be read, a row without text or label, and a single class.
    """
    targets.check_loss(config, "cross_entropy")
    source, texts, labels = _read(config)
    codes, names = targets.classes(labels, source)
    encoded = [text.encode() for text in texts]
    inputs = padded(encoded, config.context)
    found = examples.indices(inputs, config)
    parts = examples.take(found, inputs, codes)
    notes = targets.class_notes(codes, names, found["train"])
    longer = sum(len(text) > config.context for text in encoded)
    if longer:
        notes.append(f"{longer} texts of more than task.context = {config.context} bytes cut there")
    return Task(
        name=config.name,
        spec=Spec("tokens", (config.context,), len(names), sizes=(VALUES,)),
        train=parts["train"],
        valid=parts["valid"],
        heldout=parts["heldout"],
        content_hash=examples.content_hash(as_bytes(texts), as_bytes(labels.values)),
        fixed=examples.weights(config, parts["train"]["targets"], len(names)),
        notes=tuple(notes),
    )


def padded(texts: Sequence[bytes], context: int) -> np.ndarray:
    """(n, context) int32: the first `context` bytes of each text, then zeros."""
    return np.array([list(text[:context].ljust(context, b"\0")) for text in texts], np.int32)


def _read(config: TaskConfig) -> tuple[str, list[str], Words]:
    """What messages call the data, the texts, and the labels."""
    if not config.path:
        texts, labels = sentences(count(config, DEFAULT_EXAMPLES, MOST_SENTENCES))
        return "the made-up sentences", texts, Words(LABEL, tuple(labels))
    csv = read(config.path)
    label = config.target or LABEL
    csv.check_column(label)
    text = _text_column(csv, label)
    texts, labels = csv.column(text), csv.column(label)
    for row in range(len(csv.rows)):
        if not texts[row]:
            raise csv.fault(row, text, "no text; allowed: one character or more")
        if labels[row] in MISSING:
            raise csv.fault(row, label, "the label is missing; allowed: a label in every row")
    return csv.file, list(texts), Words(label, labels)


def _text_column(csv: Csv, label: str) -> str:
    others = [name for name in csv.header if name != label]
    if not others:
        raise ConfigError(f"task.path: {csv.file} has no column besides {shown(label)}; allowed: one of text too")
    if len(others) > 1 and TEXT not in others:
        raise ConfigError(
            f"task.path: {csv.file}: which column is the text? {listed(others)}; allowed: one called `{TEXT}`, or a "
            f"single column besides {shown(label)}"
        )
    return TEXT if TEXT in others else others[0]
