"""Random damage to every kind of file that is read, each read by the program that its user would run."""

import os
import random
import shutil
from pathlib import Path

from scripts.faults import mutations, odd_tables, originals
from scripts.faults.cases import Case

LARGEST = {"text": 300_000, "texts": 300_000}  # bytes: work in proportion to the data is no hang
LARGEST_TABLE = 4_000_000
SUFFIXES = (".csv", ".jsonl", ".parquet", ".txt", ".ndjson", ".json", ".tsv", ".zip", ".tar", ".gz", ".pkl", ".npy", "")
OF_KIND = {
    "csv": (*mutations.ANY, *mutations.TEXT),
    "jsonl": (*mutations.ANY, *mutations.TEXT, *mutations.JSON),
    "parquet": mutations.ANY,
    "workdir": (*mutations.ANY, *mutations.JSON),
    "tensorboard": (*mutations.ANY, *mutations.EVENTS),
    "wandb": (*mutations.ANY, *mutations.TEXT, *mutations.JSON),
    "text": (*mutations.ANY, *mutations.TEXT),
    "texts": (*mutations.ANY, *mutations.TEXT),
}


def case(number: int, rng: random.Random, inputs: Path, folder: Path) -> Case:
    """The `number`-th case; `folder` gets a copy of an original, spoilt."""
    kind = originals.KINDS[number % len(originals.KINDS)]
    place = folder / "data"
    shutil.copytree(inputs / kind, place)
    files = sorted(path for path in place.rglob("*") if path.is_file())
    path = rng.choice(files)
    if kind == "parquet" and rng.random() < 0.6:
        odd_tables.write(path, rng)
    else:
        data = path.read_bytes()
        for _ in range(rng.choice((1, 1, 2, 3))):
            data = rng.choice(_ways(kind, path))(data, rng)
        path.write_bytes(data[: LARGEST.get(kind, LARGEST_TABLE)])
    if rng.random() < 0.08:
        path = _other(path, rng, inputs)
    if kind in ("text", "texts"):
        return _corpus(rng, place if kind == "texts" else path)
    table = path if kind in ("csv", "jsonl", "parquet") else place
    mapped = () if kind in ("workdir", "tensorboard") else ("--columns=n_params=N,tokens=D",)
    return Case("fit", (f"--runs={table}", *mapped, "--out=out.json"))


def _ways(kind: str, path: Path) -> tuple[mutations.Mutation, ...]:
    return mutations.ANY if path.suffix == ".parquet" else OF_KIND[kind]


def _other(path: Path, rng: random.Random, inputs: Path) -> Path:
    """The file under another suffix, a folder or pipe in its place, or nothing."""
    how = rng.choice(("suffix", "suffix", "folder", "pipe", "link", "loop", "nothing", "device"))
    if how == "suffix":
        return path.rename(path.with_suffix(rng.choice(SUFFIXES)))
    path.unlink()
    if how == "folder":
        path.mkdir()
    elif how == "pipe":
        os.mkfifo(path)
    elif how != "nothing":
        path.symlink_to({"link": inputs / "csv/runs.csv", "loop": path, "device": "/dev/zero"}[how])
    return path


def _corpus(rng: random.Random, path: Path) -> Case:
    small = {"model.width": 16, "model.depth": 1, "task.context": 16, "train.batch_size": 4, "sweep.budgets": 1e8}
    if rng.random() < 0.3:
        small |= {"task.tokenizer": "bpe", "task.vocab_size": rng.choice((257, 400, 4096, 65536))}
    words = [f"--config.{name}={value}" for name, value in small.items()]
    return Case("sweep", ("--dry_run", *words, f"--config.task.path={path}"))
