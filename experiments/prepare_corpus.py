"""Turns text of any size into shards of tokens that a run reads from the disk (task.name=shards).

    python -m experiments.prepare_corpus --source=my_texts/ --corpus=corpora/mine
    python -m experiments.prepare_corpus --source=a.jsonl,s3://bucket/more.parquet --column=text --corpus=corpora/both \
        --tokenizer=bpe --vocab_size=4096 --workers=8
    python -m experiments.prepare_corpus --dataset=NAME --dataset_split=train --corpus=corpora/hub

Sources are files, folders and any URL that fsspec knows: text (.txt, .md, .py: a document each; a single file is cut
into documents), JSONL (.jsonl, .ndjson, .gz of both: a document a line) and Parquet (a document a row). Copies of a
text are left out, and which split a document belongs to follows from its hash: neither depends on order or processes.
Memory does not grow with the text. Stop or kill it at any time: the same command goes on. Exit code 0 when done, 2 for
bad input, 130 after Ctrl-C, 75 after SIGTERM.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from analysis import cli
from scaling_laws import command
from scaling_laws.fields import ConfigError

if TYPE_CHECKING:
    from scaling_laws.corpora.work import Order
    from scaling_laws.tasks.manifest import Manifest

_SOURCE = flags.DEFINE_list("source", [], "files, folders and URLs, separated by commas")
_DATASET = flags.DEFINE_string("dataset", "", "a Hugging Face data set, streamed, in place of --source")
_DATASET_CONFIG = flags.DEFINE_string("dataset_config", "", "its configuration, where it has several")
_DATASET_SPLIT = flags.DEFINE_string("dataset_split", "train", "which of its splits is read")
_COLUMN = flags.DEFINE_string("column", "text", "field of JSONL, column of Parquet or of a data set that is the text")
_CORPUS = flags.DEFINE_string("corpus", "", "folder of the corpus, made when absent")
_TOKENIZER = flags.DEFINE_enum("tokenizer", "bytes", ["bytes", "bpe"], "bytes, or byte-pair merges")
_VOCAB_SIZE = flags.DEFINE_integer(
    "vocab_size", 4096, "bpe: size of the vocabulary", lower_bound=257, upper_bound=65536
)
_VOCABULARY = flags.DEFINE_string("vocabulary", "", "bpe: a tokenizer.json of an earlier corpus; empty: learn one")
_SAMPLE_MB = flags.DEFINE_float("sample_mb", 32.0, "bpe: megabytes of text to learn from, at most", lower_bound=0.01)
_SPLIT_SEED = flags.DEFINE_integer("split_seed", 0, "which documents are held out", lower_bound=0)
_VALID = flags.DEFINE_float("valid_fraction", 0.05, "share of the documents for the curve's evaluation", 1e-6, 0.4)
_HELDOUT = flags.DEFINE_float("heldout_fraction", 0.1, "share of the documents for the final evaluation", 1e-6, 0.4)
_UNIT_MB = flags.DEFINE_float("unit_mb", 0.0, "megabytes a process works through at a time; 0: by the whole", 0.0, 1e3)
_WORKERS = flags.DEFINE_integer("workers", 0, "processes; 0: one a core", lower_bound=0, upper_bound=4096)
_LICENCE = flags.DEFINE_string("licence", "", "licence of the text, for the manifest; a folder may bring licences.json")


def run() -> int:
    """Prepare the corpus that the command line asks for, and say what it holds."""
    from scaling_laws.corpora.pool import Stopped, single_threaded

    single_threaded()  # before NumPy is imported
    from scaling_laws.corpora import prepare
    from scaling_laws.interrupts import interruptible
    from scaling_laws.sweep import machine

    if not _CORPUS.value:
        raise ConfigError("--corpus: missing; folder of the corpus, made when absent")
    order = _order()
    with interruptible() as asked:
        try:
            found = prepare.prepare(order, Path(_CORPUS.value), _WORKERS.value or len(machine.cores()), asked)
        except Stopped:
            print("stopped; the same command goes on")
            return command.stopped(asked.terminated)
    print(_summary(found))
    return 0


def _order() -> "Order":
    from scaling_laws.corpora import sources
    from scaling_laws.corpora.work import Order, Recipe

    if bool(_SOURCE.value) == bool(_DATASET.value):
        raise ConfigError("--source: give either --source or --dataset")
    bpe = _TOKENIZER.value == "bpe"
    vocabulary, size = _given_vocabulary() if bpe and _VOCABULARY.value else ("", _VOCAB_SIZE.value)
    recipe = Recipe(
        column=_COLUMN.value,
        tokenizer=_TOKENIZER.value,
        vocab_size=size if bpe else 256,
        split_seed=_SPLIT_SEED.value,
        valid_fraction=_VALID.value,
        heldout_fraction=_HELDOUT.value,
    )
    if _DATASET.value:
        units = sources.streamed(_DATASET.value, _DATASET_CONFIG.value, _DATASET_SPLIT.value, _COLUMN.value)
    else:
        units = sources.units(_SOURCE.value, _COLUMN.value, int(_UNIT_MB.value * 1e6))
    licences = {"text": _LICENCE.value} if _LICENCE.value else {}
    licences |= sources.licences(_SOURCE.value)
    return Order(units, recipe, vocabulary, int(_SAMPLE_MB.value * 1e6), licences)


def _given_vocabulary() -> tuple[str, int]:
    """The text of a tokenizer.json and the size of its vocabulary. Raises ConfigError where it is none of ours."""
    from scaling_laws.disk import read_file
    from scaling_laws.tasks.tokenizer import BytePairs

    path = Path(_VOCABULARY.value)
    try:
        definition = read_file(path).decode()
        return definition, len(BytePairs(definition).pieces)
    except (ValueError, KeyError, TypeError, IndexError):
        raise ConfigError(f"--vocabulary: {path} is none; allowed: tokenizer.json of a corpus made here") from None


def _summary(found: "Manifest") -> str:
    from scaling_laws.tasks.task import SPLITS

    lines = [f"corpus {found.digest[:16]}: {found.tokenizer}, vocabulary {found.vocab_size}"]
    for name in SPLITS:
        counts = (found.total("tokens", name), found.total("documents", name), len(found.shards[name]))
        lines.append("{:<8} {:>15,} tokens {:>12,} documents {:>7,} shards".format(name, *counts))
    return "\n".join([*lines, f"left out: {found.duplicates:,} copies, {found.empty:,} empty documents"])


if __name__ == "__main__":
    cli.main(run)
