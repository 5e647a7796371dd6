"""experiments.exported: a kept run as one file, checked against its own model."""

import json

import pytest

from experiments import exported
from scaling_laws.config import ConfigError, RunConfig, identity, replace
from scaling_laws.table import Journal
from scaling_laws.tasks import catalog
from scaling_laws.train import deployed, loop
from scaling_laws.train.kept import KeptError

DIGITS = {"task.name": "images", "model.family": "mlp", "model.width": 16, "model.depth": 2, "train.steps": 30}
DIGITS |= {"train.curve_points": 2, "train.checkpoint_seconds": 0.0, "train.eval_tokens": 256}
KEPT = DIGITS | {"train.keep_parameters": True, "quantize.weight_bits": 8, "quantize.when": "after"}


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """A run that has kept its parameters, and the row of one that has not."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch, Journal(folder) as journal:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        run = replace(RunConfig(), KEPT)
        row, curve = loop.train(run, catalog.load(run.task, folder), workdir=folder, say=lambda _: None)
        journal.append(row, curve)
        journal.append(row | {"run_id": "forgetful"}, [])
        journal.append(row | {"run_id": "diverged", "status": "diverged", "loss": None}, [])
    return folder


@pytest.fixture
def kept(workdir, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    row, *_ = [path.name for path in (workdir / "parameters").iterdir()]
    return exported.model_of(workdir, row)


def test_a_run_is_written_and_gives_what_it_gave(kept, tmp_path, capsys):
    row, model = kept
    path = tmp_path / "out" / "model.stablehlo"
    exported.write(model, path)
    assert exported.check(row, model, path, 20, 10)
    said = capsys.readouterr().out
    assert "20 examples: outputs are equal bit for bit" in said
    record = json.loads((tmp_path / "out" / "model.stablehlo.json").read_text())
    assert record["run_id"] == identity(replace(RunConfig(), KEPT), model.task.content_hash)
    assert record["model_bytes"] == 16 * 16 + 4 * 16 + 4 * (65 * 16 + 16 + 17 * 10)
    assert record["file"]["bytes"] == path.stat().st_size
    assert record["model"]["bytes"] == 4 * (65 * 16 + 17 * 16 + 17 * 10)
    assert record["file"]["batch"] == 20
    assert record["file"]["latency_99"] >= record["file"]["latency_median"] > 0


def test_outputs_that_differ_and_files_of_another_model_are_told(kept, tmp_path, capsys):
    row, model = kept
    other = deployed.Model(replace(RunConfig(), DIGITS), model.task, model.parameters)  # not rounded
    exported.write(other, tmp_path / "other")
    assert not exported.check(row, model, tmp_path / "other", 5, 10)
    assert "outputs differ by" in capsys.readouterr().out
    (tmp_path / "other").write_bytes((tmp_path / "other").read_bytes()[:-9])
    with pytest.raises(deployed.DeployedError, match="not all of one"):
        exported.check(row, model, tmp_path / "other", 5, 10)


@pytest.mark.parametrize(
    "name, error, words",
    [
        ("nowhere", ConfigError, "--run: 'nowhere' in .* is not there"),
        ("diverged", ConfigError, "is diverged; allowed: the run_id of a finished run"),
        ("forgetful", KeptError, "no parameters; allowed: a finished run that had"),
    ],
)
def test_what_cannot_be_exported_is_one_line(workdir, name, error, words):
    with pytest.raises(error, match=words):
        exported.model_of(workdir, name)
