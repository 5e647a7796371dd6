"""What it takes to prepare a corpus with one process and with two, in which memory, and how fast training reads it.

    scripts/bench corpora                          about ten minutes of two cores
    scripts/bench corpora --megabytes=20 --rounds=1    a look
    scripts/bench corpora --megabytes=400 --tokenizers=bytes

The text is the packaged corpus in documents of a few kilobytes, repeated under numbers so that no two are equal. One
process and two take turns, each a fresh command into a fresh folder, with the vocabulary given; a ratio is that of a
pair, of the whole command and of what all of the text takes longer than a tenth of it, which leaves out starting and
ending. Memory is what all processes of a command have resident together, what they share counted in each, looked at
every 20 ms (Linux alone), for a tenth of the text and for all of it. Reading is what a
dispatch of the smallest reference model takes of the host, in turns with that model's own steps. The exit code is 0
whatever was measured.
"""

import dataclasses
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from absl import flags

from analysis import cli
from scaling_laws.config import TaskConfig
from scaling_laws.tasks import catalog, corpus, host, order, tokenizer
from scripts.benchmarks import resident, turns
from scripts.benchmarks.measure import Cost, child, spread
from scripts.benchmarks.report import Row, lines, progress, write
from scripts.benchmarks.shapes import REFERENCES, Reference, changes

EFFICIENCY, MEMORY, TIMES = 0.8, 2**30, 10.0  # bars
VOCABULARY = 4096
DOCUMENT = 4096  # bytes of the documents that are made


def run() -> None:
    """Prints the table, and writes it to --out where that is given."""
    with tempfile.TemporaryDirectory() as folder:
        rows = measured(Path(folder), flags.FLAGS.megabytes, flags.FLAGS.rounds, flags.FLAGS.tokenizers)
    print("\n".join(lines(rows)))
    if flags.FLAGS.out:
        write(rows, Path(flags.FLAGS.out))


def measured(folder: Path, megabytes: int, rounds: int, tokenizers: Sequence[str]) -> list[Row]:
    """All rows, with so much text and so many pairs; reading those of bytes alone."""
    text, few = folder / "text.jsonl", folder / "few.jsonl"
    made(text, megabytes * 1_000_000)
    made(few, megabytes * 100_000)
    vocabulary = folder / "tokenizer.json"
    vocabulary.write_text(_vocabulary())
    rows = []
    for name in tokenizers:
        words = [f"--tokenizer={name}", *([f"--vocabulary={vocabulary}"] if name == "bpe" else [])]
        starts, pairs = [], []
        for index in range(rounds):
            starts.append(_pair(few, folder / f"{name}_few", words, index))
            pairs.append(_pair(text, folder / name, words, index))
        rows += efficiencies(name, megabytes, starts, pairs)
        rows.append(_memory(name, megabytes, [two for _, two in starts], [two for _, two in pairs]))
    if "bytes" not in tokenizers:
        return rows
    return [*rows, *(_reading(shape, folder / "bytes_two_0", rounds) for shape in REFERENCES)]


def made(path: Path, size: int) -> None:
    """A JSONL file of unlike documents, `size` bytes of text or a little more."""
    with path.open("w") as file:
        for index, text in enumerate(_documents()):
            file.write(json.dumps({"text": f"{index} {text}"}, ensure_ascii=False) + "\n")
            size -= len(text)
            if size <= 0:
                return


def _documents() -> Iterator[str]:
    """Those of the packaged corpus in pieces, again and again."""
    whole = [document.raw for document in corpus.read(corpus.PACKAGED).documents]
    while True:
        for raw in whole:
            for start, stop in corpus.piece_bounds(raw, DOCUMENT):
                yield raw[start:stop].decode()


def _vocabulary() -> str:
    documents = [document.raw for document in corpus.read(corpus.PACKAGED).documents[:60]]
    return tokenizer.train_byte_pairs(documents, VOCABULARY).definition


def prepared(text: Path, out: Path, workers: int, words: Sequence[str]) -> Cost:
    """Cost of one command, of all its processes together."""
    command = ["-m", "experiments.prepare_corpus", f"--source={text}", f"--corpus={out}", f"--workers={workers}"]
    with resident.watched("experiments.prepare_corpus") as peak:
        cost = child([*command, *words])
    return dataclasses.replace(cost, peak_bytes=peak.n_bytes)


def _pair(text: Path, out: Path, words: Sequence[str], index: int) -> tuple[Cost, Cost]:
    """Costs of one process and of two, which leave their corpora beside `out`."""
    one = prepared(text, out.with_name(f"{out.name}_one_{index}"), 1, words)
    two = prepared(text, out.with_name(f"{out.name}_two_{index}"), 2, words)
    progress(f"{out.name}, pair {index + 1}: {one.wall:.2f} s with one process, {two.wall:.2f} s with two")
    return one, two


def efficiencies(
    name: str, megabytes: int, starts: Sequence[tuple[Cost, Cost]], pairs: Sequence[tuple[Cost, Cost]]
) -> list[Row]:
    """Two processes over twice one, by whole commands and by what they take beyond those for a tenth of the text."""
    work = [
        (_beyond(one, one_start), _beyond(two, two_start))
        for (one, two), (one_start, two_start) in zip(pairs, starts, strict=True)
    ]
    return [
        _efficiency(f"{name}: two processes over twice one, {megabytes} MB", megabytes, pairs),
        _efficiency(f"{name}: the same without starting, {0.9 * megabytes:g} MB", 0.9 * megabytes, work),
    ]


def _beyond(cost: Cost, start: Cost) -> Cost:
    return Cost(cost.cpu - start.cpu, cost.wall - start.wall, cost.peak_bytes)


def _efficiency(what: str, megabytes: float, pairs: Sequence[tuple[Cost, Cost]]) -> Row:
    median, low, high = spread(one.wall / (2 * two.wall) for one, two in pairs)
    rates = [megabytes / spread(side)[0] for side in zip(*((a.wall, b.wall) for a, b in pairs), strict=True)]
    spent = [spread(side)[0] for side in zip(*((a.cpu, b.cpu) for a, b in pairs), strict=True)]
    said = f"{median:.2f} ({low:.2f} to {high:.2f}): {rates[0]:.1f} and {rates[1]:.1f} MB/s"
    said += f" in {spent[0]:.1f} and {spent[1]:.1f} CPU-s"
    values = {"pairs": [[dataclasses.asdict(each) for each in pair] for pair in pairs]}
    return Row(what, f"{EFFICIENCY:g}", said, median >= EFFICIENCY, values)


def _memory(name: str, megabytes: int, few: Sequence[Cost], all_of: Sequence[Cost]) -> Row:
    """Memory of two processes and the one that leads them, at most."""
    small, large = (max(cost.peak_bytes for cost in costs) for costs in (few, all_of))
    said = f"{large / 2**20:.0f} MiB, for a tenth of it {small / 2**20:.0f}"
    return Row(f"{name}: memory of two processes, {megabytes} MB", "1024 MiB", said, large < MEMORY if large else None)


def _reading(name: str, corpus_folder: Path, rounds: int) -> Row:
    """Tokens a CPU-second that the host reads for a shape, over those that the shape trains on."""
    reference = REFERENCES[name]
    config = TaskConfig(name="shards", path=str(corpus_folder), context=reference.context)
    task, pairs = catalog.load(config, corpus_folder.with_name("cache")), []
    with turns.our_worker() as worker:
        for index in range(rounds + 1):  # the first warms both sides up
            job = {"changes": changes(reference), "vocab_size": reference.vocab_size}
            trained = reference.tokens / worker.ask(do="time", **job)["seconds"]
            read = _read_rate(task, reference, index)
            if index:
                pairs.append((read, trained))
                progress(f"{name}, pair {index}: {read:.3g} tokens/s read, {trained:.3g} trained on")
    median, low, high = spread(read / trained for read, trained in pairs)
    rates = [spread(side)[0] for side in zip(*pairs, strict=True)]
    said = f"{median:.0f} ({low:.0f} to {high:.0f}): {rates[0] / 1e6:.1f} and {rates[1] / 1e6:.3f} M tokens/s"
    return Row(f"{name}: read over trained on", f"{TIMES:g}", said, median >= TIMES, {"pairs": pairs})


def _read_rate(task: catalog.Task, reference: Reference, index: int) -> float:
    """Tokens a CPU-second, over ten dispatches of fifty steps."""
    steps, began = 50, time.process_time()
    for dispatch in range(10):
        first = (10 * index + dispatch) * steps
        places = order.places(task, 0, first, steps, reference.batch_size)
        arrays, starts = host.read(task, "train", places)
        np.asarray(arrays[host.TOKENS]).sum()
    del starts
    return 10 * steps * reference.tokens / (time.process_time() - began)


def define_flags() -> None:
    """The flags of this benchmark."""
    flags.DEFINE_integer("megabytes", 100, "text that is prepared", lower_bound=1)
    flags.DEFINE_integer("rounds", 3, "pairs of each measurement", lower_bound=1)
    flags.DEFINE_multi_enum("tokenizers", ["bytes", "bpe"], ["bytes", "bpe"], "of which tokenizers")
    flags.DEFINE_string("out", "", "JSON file for the numbers behind the table")


if __name__ == "__main__":
    define_flags()
    cli.main(run)
