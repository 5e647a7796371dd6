"""A run over shards: what the host reads is what the device would have read, to the bit, and after a kill too."""

import dataclasses

import numpy as np
import pytest
from shards_corpus import corpus

from scaling_laws.config import RunConfig, TaskConfig, replace
from scaling_laws.tasks import catalog, order
from scaling_laws.train import loop, trial
from scaling_laws.train.member import Order
from scaling_laws.train.noise_probe import NoiseProbe

TINY = {
    "model.width": 8,
    "model.depth": 1,
    "model.head_dim": 4,
    "task.name": "shards",
    "task.context": 16,
    "train.batch_size": 4,
    "train.steps": 40,
    "train.steps_per_dispatch": 7,
    "train.curve_points": 4,
    "train.eval_tokens": 512,
    "train.curve_eval_tokens": 256,
    "regularise.dropout": 0.1,  # drawn by window, wherever that lies
}


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    folder = corpus(tmp_path_factory.mktemp("shards"))
    return catalog.load(TaskConfig(name="shards", path=str(folder), context=16), folder.parent)


def run_of(changes=None):
    return replace(RunConfig(), TINY | (changes or {}))


def train(task, workdir, changes=None, **options):
    return loop.train(run_of(changes), task, workdir=workdir, say=lambda _: None, **options)


def seen(ended):
    row, curve = ended
    return [row["loss"], row["loss_se"], row["bits_per_byte"], *(point["loss"] for point in curve)], row["train_loss"]


@pytest.fixture(scope="module")
def undisturbed(task, tmp_path_factory):
    return train(task, tmp_path_factory.mktemp("undisturbed"))


def test_it_is_the_run_from_the_device(undisturbed, task, tmp_path, monkeypatch):
    whole = {
        name: {"tokens": np.concatenate([np.fromfile(file, tokens.dtype) for file in tokens.files])}
        for name, tokens in task.mapped.items()
    }
    places, evaluated = order.places, order.evaluated
    monkeypatch.setattr(order, "places", lambda _, *about: places(task, *about).astype(np.int32))
    monkeypatch.setattr(order, "evaluated", lambda _, *about: evaluated(task, *about).astype(np.int32))
    resident = dataclasses.replace(task, mapped={}, **whole)
    assert seen(train(resident, tmp_path)) == seen(undisturbed)


def test_killed_anywhere_it_goes_on_with_the_next_window(undisturbed, task, tmp_path, monkeypatch):
    read, batches = [], order.places
    monkeypatch.setattr(order, "places", lambda *about: read.append(about[2:4]) or batches(*about))
    for stop_at in (1, 3):
        asked = iter([False] * stop_at + [True])
        with pytest.raises(loop.StopRequested):
            train(task, tmp_path, stop=lambda asked=asked: next(asked))
    ended = train(task, tmp_path)
    assert seen(ended) == seen(undisturbed)
    assert ended[0]["resumed"] == 2
    steps = [step for first, count in read for step in range(first, first + count)]
    assert steps == list(range(40))  # none twice, none left out


def test_members_of_a_pack_read_their_own(undisturbed, task, tmp_path):
    orders = [Order(run_of({"train.data_seed": seed})) for seed in (0, 1)]
    rows = [row for row, _ in loop.train_pack(orders, task, workdir=tmp_path, say=lambda _: None)]
    assert rows[0]["loss"] == pytest.approx(undisturbed[0]["loss"], rel=1e-5)
    assert rows[0]["loss"] != rows[1]["loss"]


def test_what_else_reads_a_train_split(task):
    assert trial.rate(run_of(), task, 2, "map") > 0
    probe = NoiseProbe(run_of(), task, windows=4, n_batches=2)
    wanted = task.windows("train", order.places(task, run_of().train.data_seed ^ 0x6E01, 0, 2, 4).ravel())
    data = np.asarray(probe._data["tokens"])
    assert np.array_equal(data[probe.starts_KxN.ravel()[:, None] + np.arange(17)], wanted)
