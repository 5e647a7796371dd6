"""The critical batch's command: what it refuses and prints, and that it goes on and ends with all its products."""

import csv
import json
import math

import numpy as np
import pytest

from experiments import batches
from scaling_laws import spec, table
from scaling_laws.config import ExperimentConfig, replace
from scaling_laws.sweep import batch_grid, study
from scaling_laws.sweep.planned import TaskFacts
from scaling_laws.sweep.summary import Summary
from scaling_laws.tasks import catalog
from scaling_laws.train import noise_along
from scaling_laws.train.drawing import Drawing

BINARY = "critical_batch"
SETTINGS = {
    "model.width": 8,
    "model.depth": 1,
    "model.head_dim": 8,
    "task.context": 16,
    "train.batch_size": 4,
    "train.steps": 20,
    "train.eval_tokens": 256,
    "train.curve_points": 12,
    "train.curve_eval_tokens": 256,
    "optimizer.schedule": "constant",
    "optimizer.learning_rate": 0.02,
    "sweep.lr_max_extensions": 1,
    "sweep.workers": 1,
}


@pytest.mark.parametrize(
    "words, said",
    [
        (["--batch_sizes=4,8"], "batch_sizes: 2 different; allowed: 3 or more"),
        (["--batch_sizes=4,x"], "batch_sizes: '4,x'; allowed: positive whole numbers"),
        (["--batch_sizes=4,4,8"], "batch_sizes: '4,4,8'; allowed"),
        (["--targets=-1"], "targets: '-1'; allowed: positive numbers"),
        (["--noise_group=3"], "noise_group: 3; allowed: a divisor of noise_windows"),
        (["--config.optimizer.schedule=wsd"], "optimizer.schedule: wsd; allowed: constant"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(refused, words, said):
    refused(words, said)


def test_dry_run_prints_the_runs(command):
    done = command("--dry_run", "--batch_sizes=2,4,8")
    assert done.returncode == 0, done.stderr
    assert "9 runs, about" in done.stdout
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["2", "0.0141", "60", "1,920"] in [row[:4] for row in rows]  # 20 (1 + 4 / 2) steps, .02 / sqrt(2)


S_MIN, B_CRIT, LOSS = 30.0, 5.0, 3.0  # planted: steps to a loss of 3 at the best rate, which is twice the middle one


def planted_row(planned, facts):
    row = facts.described(planned.run, planned.counts, planned.run_id)
    found = {"status": "finished", "loss": 2.0, "steps_done": planned.run.train.steps, "purpose": planned.purpose}
    return row | found | {"lr_source": planned.lr_source}


def planted_curve(planned):
    """ln L falls by half of ln step; a rate off the best one is slower."""
    batch, rate = planned.run.train.batch_size, planned.run.optimizer.learning_rate
    off = math.log(rate / (2 * 0.02 * (batch / 4) ** 0.5))
    steps = S_MIN * (1 + B_CRIT / batch) * (1 + off**2)
    at = sorted({round(step) for step in np.geomspace(1, 30 * steps, 400)})
    return [
        {"step": k, "tokens": k, "flops": float(k), "learning_rate": rate, "loss": LOSS * (k / steps) ** -0.5}
        for k in at
    ]


@pytest.fixture
def planted(monkeypatch):
    """Sweeps that end at once with planted curves, and a noise scale that is planted too; what was asked for."""
    asked = []

    def train_runs(config, facts, runs, workdir, n_workers):
        with table.Journal(workdir) as journal:
            known = {row["run_id"] for row in journal.rows()}
            new = [planned for planned in runs if planned.run_id not in known]
            for planned in new:
                journal.append(planted_row(planned, facts), planted_curve(planned))
        table.compact(workdir)
        asked.append(sorted((p.run.train.batch_size, p.run.optimizer.learning_rate) for p in new))
        return Summary((), 0, 0, False, 1.0), []

    def noise(run, task, drawing, workdir, say, stop):
        asked.append((run.train.batch_size, run.optimizer.learning_rate))
        return [{"step": 9, "loss": 3.0, "windows": 4.0, "low": 3.0, "high": 5.0}]

    monkeypatch.setattr(study, "train_runs", train_runs)
    monkeypatch.setattr(noise_along, "noise_along", noise)
    monkeypatch.setattr(catalog, "load", lambda *_: None)
    return asked


def test_edges_go_on_until_the_best_rate_is_inside_and_the_truth_comes_back(planted, tmp_path):
    changes = {"model.width": 8, "model.depth": 1, "model.head_dim": 8, "task.context": 16, "train.batch_size": 4}
    changes |= {"train.steps": 20, "optimizer.schedule": "constant", "optimizer.learning_rate": 0.02}
    config, facts = replace(ExperimentConfig(), changes), TaskFacts(10**7, "c0ffee", spec.text(256, 16))
    grid = [(batch, rate) for batch in (2, 4, 8, 16) for rate in batch_grid.rates(config, batch)]
    batches.train(config, facts, grid, [LOSS, 2.0], tmp_path)
    assert [len(runs) for runs in planted] == [12, 4]  # the best rate was the highest of the first three
    assert [batch for batch, _ in planted[1]] == [2, 4, 8, 16]
    assert [rate for _, rate in planted[1]] == pytest.approx([0.05657, 0.08, 0.1131, 0.16], rel=1e-3)
    found = batches.fit(tmp_path, config, facts, grid, [LOSS, 2.0], resamples=20)
    assert [one.b_crit for one in found] == pytest.approx([B_CRIT] * 2, rel=0.02)
    assert found[0].s_min == pytest.approx(S_MIN, rel=0.02)
    assert "B_crit 5 windows = 80 tokens" in batches.describe(found[0], facts.spec)
    assert "B_crit 5 examples" in batches.describe(found[0], spec.Spec("vector", (4,), 3))
    noise = batches.measure(config, facts, found, Drawing(), tmp_path)
    assert planted[-1] == (4, 0.04)  # the batch nearest the critical one, at its best rate
    batches.write(found, noise, facts.spec, tmp_path)
    written = json.loads((tmp_path / "critical_batch.json").read_text())
    assert written["targets"][0]["b_crit"] == found[0].b_crit
    assert written["noise_scale"] == noise
    rows = list(csv.DictReader((tmp_path / "figures/noise_scale.csv").open()))
    assert [float(row["x"]) for row in rows] == [3.0, LOSS, 2.0]
    assert float(rows[0]["y"]) == 4 * 16
    assert float(rows[1]["y"]) == pytest.approx(16 * found[0].b_crit)
    drawn = list(csv.DictReader((tmp_path / "figures/steps_over_examples.csv").open()))
    points = [(float(row["x"]), float(row["y"])) for row in drawn if row["kind"] == "points"]
    assert len(points) == 8
    for tokens, steps in points[:4]:
        assert (steps / S_MIN - 1) * (tokens / 16 / (S_MIN * B_CRIT) - 1) == pytest.approx(1, rel=0.1)
    assert {path.suffix for path in (tmp_path / "figures").iterdir()} == {".png", ".svg", ".csv"}


@pytest.mark.slow
def test_for_real_it_ends_with_its_products_and_does_nothing_twice(command, tmp_path):
    workdir = tmp_path / "runs"
    words = (f"--workdir={workdir}", "--batch_sizes=2,4,8", "--bootstrap=20", "--noise_points=2")
    words += ("--noise_windows=8", "--noise_batches=4", "--targets=5.2")
    done = command(*words)
    assert done.returncode == 0, done.stderr
    rows = table.read_runs(workdir).to_pylist()
    assert {row["purpose"] for row in rows} == {"batch"}
    assert {row["lr_source"] for row in rows} == {"optimizer.learning_rate x batch^0.5, grid"}
    assert {row["batch_size"] for row in rows} == {2, 4, 8}
    found = (workdir / "critical_batch.json").read_text()
    before = table.result_hash(table.read_runs(workdir))
    again = command(*words)
    assert again.returncode == 0, again.stderr
    assert "0 runs, " in again.stdout
    assert table.result_hash(table.read_runs(workdir)) == before
    assert (workdir / "critical_batch.json").read_text() == found
