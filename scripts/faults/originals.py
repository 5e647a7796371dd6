"""The data that is mutated: one small study as every kind of file that this project reads, and texts to train on."""

import csv
import json
import math
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from scaling_laws import config, describe, families, spec, table
from scaling_laws.table.journal import JOURNAL
from scaling_laws.train.watch import TensorBoard

KINDS = ("csv", "jsonl", "parquet", "workdir", "tensorboard", "wandb", "text", "texts")


def write(folder: Path) -> None:
    """One folder for each of KINDS, and `strange`: what is no file that anybody should read."""
    for kind in KINDS:
        (folder / kind).mkdir(parents=True)
    runs = [_run(width, steps, seed) for width in (16, 24, 32, 48) for steps in (100, 200, 400) for seed in (0, 1)]
    plain = [_plain(row) for row, _ in runs]
    with (folder / "csv/runs.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, plain[0])
        writer.writeheader()
        writer.writerows(plain)
    (folder / "jsonl/runs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in plain))
    pq.write_table(pa.Table.from_pylist(plain), folder / "parquet/runs.parquet")
    with table.Journal(folder / "workdir") as journal:
        for row, _ in runs:
            journal.append(row, _curve(row))
    table.compact(folder / "workdir")
    os.utime(folder / "workdir" / JOURNAL)  # so that both the journal and, less often, Parquet is read
    for row, run in runs[:8]:
        _log(folder / "tensorboard" / row["run_id"], row, run)
    _wandb(folder / "wandb", plain)
    text = "\n\n".join(f"Sentence {i} of {i * i % 997} words, é and ü among them.\nAnd more of it." for i in range(600))
    (folder / "text/corpus.txt").write_text(text)
    for i in range(6):
        (folder / "texts" / f"{i}.{('txt', 'md')[i % 2]}").write_text(text[i * 5000 : (i + 1) * 5000])


def strange(folder: Path) -> None:
    """Pipes, loops of links, folders with the names of files, other people's formats."""
    (folder / "folder.csv").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "binary.txt").write_bytes(bytes(range(256)) * 100)
    (folder / "empty.txt").write_bytes(b"")
    (folder / "short.txt").write_bytes(b"one")
    (folder / "line.txt").write_bytes(b"x" * 1_000_000)
    (folder / "archive.zip").write_bytes(b"PK\x03\x04" + bytes(100))
    (folder / "weights.pkl").write_bytes(b"\x80\x04K\x01.")
    for name in ("pipe", "pipe.txt", "pipe.csv"):
        os.mkfifo(folder / name)
    links = {"loop": "loop", "gone.txt": "nowhere", "zero.txt": "/dev/zero", "zero.csv": "/dev/zero"}
    for name, target in links.items():
        (folder / name).symlink_to(target)


def _run(width: int, steps: int, seed: int) -> tuple[dict[str, Any], config.RunConfig]:
    """A finished row, its loss by a law of N and D, and the settings behind it."""
    changes = {"model.width": width, "model.depth": 1, "model.head_dim": 8, "task.context": 16, "train.batch_size": 4}
    run = config.replace(config.RunConfig(), changes | {"train.steps": steps, "train.seed": seed})
    counts = families.count(run.model, spec.text(256, 16))
    run_id = config.identity(run, "c0ffee")
    row = describe.describe(
        run, counts, run_id=run_id, spec=spec.text(256, 16), unique_tokens=10**6, corpus_hash="c0ffee"
    )
    loss = 1.5 + 30 / row["n_params"] ** 0.4 + 40 / row["tokens"] ** 0.35 + 0.003 * math.sin(width + steps + seed)
    ended = {"status": "finished", "purpose": "grid", "steps_done": steps, "loss": loss, "loss_se": 0.01}
    return row | ended | {"budget": row["flops"], "step_seconds": 1.0}, run


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row as a stranger's table has it."""
    theirs = {"run": "run_id", "N": "n_params", "D": "tokens", "loss": "loss", "flops": "flops"}
    return {name: row[ours] for name, ours in theirs.items()} | {"note": 'a, "b"'}


def _curve(row: dict[str, Any]) -> list[dict[str, Any]]:
    shares = [(i + 1) / 5 for i in range(5)]
    return [
        {
            "step": round(share * row["steps"]),
            "tokens": round(share * row["tokens"]),
            "flops": share * row["flops"],
            "learning_rate": 1e-3,
            "train_loss": row["loss"] / share**0.1,
            "loss": row["loss"] / share**0.1,
        }
        for share in shares
    ]


def _log(folder: Path, row: dict[str, Any], run: config.RunConfig) -> None:
    with TensorBoard(folder) as log:
        for point in _curve(row):
            log.scalars(point["step"], {name: point[name] for name in ("tokens", "flops", "loss")})
        settings = {path: value for path, _, value in config.leaves(run)}
        log.hparams(settings, {"loss": row["loss"]})


def _wandb(folder: Path, rows: list[dict[str, Any]]) -> None:
    """The runs page of an export, a chart and a history."""
    lines = [f'"{row["run"]}","finished","{row["N"]}","{row["D"]}","{row["loss"]}"' for row in rows]
    (folder / "runs.csv").write_text("\n".join(['"Name","State","N","D","loss"', *lines]) + "\n")
    names = [f"{row['run']} - loss{end}" for row in rows[:2] for end in ("", "__MIN", "__MAX")]
    points = [",".join([str(step), *["2.5"] * len(names)]) for step in (1, 2, 3)]
    (folder / "chart.csv").write_text("\n".join([",".join(["Step", *names]), *points]) + "\n")
    history = [{"_step": step, "_runtime": 1.5, "loss": 3.0 - step / 10, "N": 100, "D": 10 * step} for step in (1, 2)]
    (folder / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in history))
