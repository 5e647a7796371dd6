"""Parameters that finished runs leave, against those of the programs themselves."""

import re

import jax
import numpy as np
import pytest

from scaling_laws.config import ConfigError, RunConfig, replace
from scaling_laws.train import arrays, kept, loop, saved, state
from scaling_laws.train.member import Order

TINY = {
    "model.width": 8,
    "model.depth": 1,
    "model.head_dim": 4,
    "task.context": 16,
    "train.batch_size": 4,
    "train.steps": 12,
    "train.steps_per_dispatch": 4,
    "train.curve_points": 2,
    "train.eval_tokens": 512,
    "train.curve_eval_tokens": 256,
    "train.keep_parameters": True,
}
EXPLODING = {"optimizer.learning_rate": 1e3, "optimizer.clip_norm": 0.0, "optimizer.warmup": 0.0}
DRAWN = {"params/head": np.arange(6, dtype=np.float32).reshape(2, 3), "params/empty": np.zeros((0, 3), np.float32)}


def orders(*changes):
    return [Order(replace(RunConfig(), TINY | change)) for change in changes]


def pack(changes, task, workdir, **options):
    return list(loop.train_pack(orders(*changes), task, workdir=workdir, say=lambda _: None, **options))


@pytest.fixture(scope="module")
def alone(task, tmp_path_factory):
    """The row of a run alone, its parameters as the programs had them at the end, and its workdir."""
    workdir, seen = tmp_path_factory.mktemp("alone"), []
    ((row, _),) = pack([{}], task, workdir, probe=lambda _, parameters: seen.append(parameters()))
    return row, seen[-1], workdir


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, leaf in expected.items():
        assert (found[name].dtype, found[name].shape) == (leaf.dtype, leaf.shape)
        assert found[name].tobytes() == leaf.tobytes(), name


def test_a_finished_run_leaves_its_parameters_bit_for_bit(alone):
    row, expected, workdir = alone
    found = kept.read(workdir, row["run_id"])
    assert "params/block_0/mlp/up" in found
    assert_same(found, expected)
    assert [path.name for path in saved.parameters(workdir, row["run_id"]).iterdir()] == ["step_000000000012"]


def test_each_member_of_a_pack_leaves_its_own(alone, task, tmp_path):
    ended = pack([{"train.seed": 1}, {}, EXPLODING], task, tmp_path, strategy="vmap")
    assert sorted(row["status"] for row, _ in ended) == ["diverged", "finished", "finished"]
    finished = {row["run_id"] for row, _ in ended if row["status"] == "finished"}
    assert {path.name for path in (tmp_path / "parameters").iterdir()} == finished
    found = kept.read(tmp_path, alone[0]["run_id"])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), found, alone[1])
    (other,) = finished - {alone[0]["run_id"]}
    assert np.abs(kept.read(tmp_path, other)["params/head"] - alone[1]["params/head"]).max() > 1e-2


def test_nothing_is_kept_unasked_and_the_run_is_the_same_one(alone, task, tmp_path):
    ((row, _),) = pack([{"train.keep_parameters": False}], task, tmp_path)
    assert (row["run_id"], row["loss"]) == (alone[0]["run_id"], alone[0]["loss"])
    assert not (tmp_path / "parameters").exists()
    with pytest.raises(kept.KeptError, match=r"no parameters; allowed: a finished run that had train.keep_parameters"):
        kept.read(tmp_path, row["run_id"])


@pytest.mark.parametrize("small", [arrays.SMALL, 0], ids=["one file", "Orbax"])
def test_what_is_written_is_read_whatever_its_shapes(tmp_path, monkeypatch, small):
    monkeypatch.setattr(arrays, "SMALL", small)
    kept.write(tmp_path, "ab12", 7, DRAWN)
    assert_same(kept.read(tmp_path, "ab12"), DRAWN)
    kept.write(tmp_path, "ab12", 7, {name: leaf + 1 for name, leaf in DRAWN.items()})
    assert kept.read(tmp_path, "ab12")["params/head"][1, 2] == 6


def test_damaged_and_mistaken_parameters_are_refused_in_one_line(tmp_path):
    kept.write(tmp_path, "ab12", 7, DRAWN)
    folder = saved.parameters(tmp_path, "ab12")
    folder.rename(saved.parameters(tmp_path, "cd34"))
    with pytest.raises(kept.KeptError, match=r"step_000000000007: parameters of run ab12; allowed: those of cd34$"):
        kept.read(tmp_path, "cd34")
    saved.parameters(tmp_path, "cd34").rename(folder)
    file = folder / "step_000000000007" / arrays.FILE
    data = bytearray(file.read_bytes())
    data[5] ^= 4
    file.write_bytes(data)
    with pytest.raises(kept.KeptError, match=r"step_000000000007: arrays.raw is damaged$"):
        kept.read(tmp_path, "ab12")
    assert file.exists()  # whose they are, another process may hold


def test_a_run_that_is_over_is_not_trained_again_for_them(tmp_path):
    rows = [{"run_id": "ab12", "status": "finished"}, {"run_id": "cd34", "status": "diverged"}]
    asked, not_asked = (replace(RunConfig(), {"train.keep_parameters": value}) for value in (True, False))
    saved.check_kept(rows, [("ab12", not_asked), ("cd34", asked), ("ef56", asked)], tmp_path)
    line = f"train.keep_parameters: run ab12 has finished in {tmp_path} and kept none; allowed: false, or another"
    with pytest.raises(ConfigError, match=re.escape(line)):
        saved.check_kept(rows, [("ab12", asked)], tmp_path)
    kept.write(tmp_path, "ab12", 7, state.params(DRAWN))
    saved.check_kept(rows, [("ab12", asked)], tmp_path)
