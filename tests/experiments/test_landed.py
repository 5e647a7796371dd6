"""Forecasts graded by the command that trains what they are about."""

import dataclasses

import pytest
from absl import flags

from analysis.forecasts import ledger
from analysis.forecasts.record import Record
from experiments import cli, train
from scaling_laws import families, spec
from scaling_laws.config import ModelConfig

SETTINGS = {
    "model.width": 8, "model.depth": 1, "model.head_dim": 4, "task.context": 16, "train.batch_size": 4,
    "train.steps": 20, "train.eval_tokens": 1024, "train.curve_points": 2, "train.curve_eval_tokens": 256,
}  # fmt: skip
COUNTS = families.count(ModelConfig(width=8, depth=1, head_dim=4), spec.text(256, 16))
TOKENS = 20 * 4 * 16
AT = {"n_params": float(COUNTS.n_params), "tokens": float(TOKENS), "flops": COUNTS.flops_per_token * TOKENS}
LAW = {"E": 1.0, "A": 400.0, "alpha": 0.3, "B": 400.0, "beta": 0.3}
FORECAST = Record(
    id="one",
    made_at="2026-01-02T03:04:05+00:00",
    revision="0123abc",
    source="runs/mine",
    about={"task": "text", "family": "transformer"},
    asked={"n_params": AT["n_params"], "tokens": AT["tokens"]},
    target=AT | {"width": 8, "depth": 1},
    forecast={"column": "loss", "unit": "nats/token", "value": 5.0, "interval": [4.0, 6.0], "level": 0.9},
    naive={"best_loss": 5.5, "power_law": 5.2, "exponent": 0.05},
    extrapolation=10.0,
    law={"name": "chinchilla", "coefficients": LAW, "held": {}},
    forms={"chinchilla": 1.0},
    link=None,
    options={"bootstrap": 1000},
    table={"runs": 45, "sha256": "ab" * 32},
)  # fmt: skip


@pytest.fixture
def call(tmp_path, monkeypatch):
    """The command on a tiny run, whose flags do not outlive it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    words = [f"--config.{name}={value}" for name, value in SETTINGS.items()]

    def call(*more):
        return cli.call(train.run, ["train", f"--workdir={tmp_path / 'runs'}", *words, *more])

    yield call
    if flags.FLAGS.is_parsed():
        flags.FLAGS["forecasts"].value = None


def test_a_run_is_graded_when_it_lands(call, tmp_path, capsys):
    (tmp_path / "runs").mkdir()
    elsewhere = dataclasses.replace(FORECAST, id="two", target=AT | {"n_params": 1e9, "width": 9, "depth": 9})
    for record in (FORECAST, elsewhere):
        ledger.add(tmp_path / "runs" / ledger.NAME, record)
    assert call() == 0
    said = capsys.readouterr().out
    assert f"forecasts answered by {tmp_path / 'runs'}: 1" in said
    (line,) = [line for line in said.splitlines() if line.startswith("one ")]
    assert "4.0000 - 6.0000" in line
    assert " yes " in line
    assert not any(line.startswith("two ") for line in said.splitlines())


def test_a_ledger_that_is_none_is_refused_before_anything_trains(call, tmp_path, capsys):
    assert call(f"--forecasts={tmp_path / 'missing.jsonl'}") == 2
    assert "no such ledger" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
