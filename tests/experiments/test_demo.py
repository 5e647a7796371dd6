"""The demo around its sweep: what is written before training, what a restart keeps, how it is graded and ends."""

import dataclasses
import json
import math

import pytest

from experiments import cli, demo
from scaling_laws import config, spec, table
from scaling_laws.sweep import study
from scaling_laws.sweep.plan import plan
from scaling_laws.sweep.planned import TaskFacts
from scaling_laws.sweep.summary import Summary

FACTS = TaskFacts(unique_tokens=10**9, corpus_hash="c0ffee", spec=spec.text(256, 16))
SMALL = {
    "model.width": 0,
    "model.depth": 0,
    "model.head_dim": 8,
    "task.context": 16,
    "train.batch_size": 4,
    "sweep.widths": (8, 16, 24, 32, 48),
    "sweep.depths": (2,),
    "sweep.budgets": (1e9, 2e9, 4e9, 8e9),
    "sweep.lr_check": False,
}


def chinchilla(planned):
    """A law with its optimum inside the grid, and a little noise that is a function of the run."""
    noise = math.sin(planned.counts.n_params + 7 * planned.run.train.seed)
    return (1.5 + 60 / planned.counts.n_params**0.45 + 90 / planned.tokens**0.4) * (1 + 1e-3 * noise)


def row_of(planned, loss):
    row = FACTS.described(planned.run, planned.counts, planned.run_id)
    ended = {"purpose": planned.purpose, "budget": planned.budget, "steps_done": planned.run.train.steps}
    if loss is None:
        return row | ended | {"status": "failed", "reason": "it was told to"}
    return row | ended | {"status": "finished", "loss": loss, "loss_se": 0.01, "bits_per_byte": loss / math.log(2)}


class Machine:
    """Stands for the workers: rows by a formula. `stop_at`, `fail_at`: the purpose that ends so."""

    def __init__(self, grid, loss=chinchilla):
        self.grid, self.loss, self.stop_at, self.fail_at = grid, loss, None, None
        self.trained = []

    def run_plan(self, grid, runs, workdir, n_workers=1, say=print):
        stopped, rows = runs[0].purpose == self.stop_at, []
        with table.Journal(workdir) as journal:
            for planned in runs:
                if stopped or planned.run_id in journal.finished_ids():
                    continue
                rows.append(row_of(planned, None if planned.purpose == self.fail_at else self.loss(planned)))
                journal.append(rows[-1])
            table.compact(workdir)
        self.trained += rows
        return study.Study(grid, Summary(tuple(rows), 0, 0, stopped, 0.0), ())


@pytest.fixture
def machine(monkeypatch):
    made = Machine(plan(config.replace(config.ExperimentConfig(), SMALL), FACTS))
    monkeypatch.setattr(study, "plan_sweep", lambda *_: made.grid)
    monkeypatch.setattr(study, "run_grid", lambda grid, workdir: made.run_plan(grid, grid.runs, workdir))
    monkeypatch.setattr(study, "run_plan", made.run_plan)
    monkeypatch.setattr(demo, "report", lambda workdir: None)
    monkeypatch.setattr(demo, "compressors", lambda task: {"gzip": 2.0})
    return made


@pytest.fixture
def call(machine, tmp_path):
    return lambda: cli.call(demo.run, ["demo", f"--workdir={tmp_path}", "--bootstrap=20"])


def written(tmp_path):
    return json.loads((tmp_path / "forecast.json").read_text())


def test_the_forecast_comes_before_the_training_and_stands_on_a_restart(machine, call, tmp_path, capsys):
    machine.stop_at = "forecast"
    assert call() == 130
    first = written(tmp_path)
    assert first["before_training"]
    assert "grading" not in first
    machine.stop_at = None
    assert call() == 0
    graded = written(tmp_path)
    assert {key: value for key, value in graded.items() if key != "grading"} == first
    capsys.readouterr()
    trained = len(machine.trained)
    assert call() == 0
    assert written(tmp_path) == graded
    assert len(machine.trained) == trained
    assert f"made {first['made_at']} before the run" in capsys.readouterr().out


def test_what_it_says_of_the_held_out_shape(machine, call, tmp_path):
    assert call() == 0
    found = written(tmp_path)
    forecasts = [row for row in machine.trained if row["purpose"] == "forecast"]
    first = forecasts[0]
    assert first["run_id"] == found["run_id"]
    assert (found["width"], found["depth"], found["n_params"]) == (first["width"], first["depth"], first["n_params"])
    assert (found["tokens"], found["flops"]) == (first["tokens"], first["flops"])
    assert found["extrapolation"] == pytest.approx(4, rel=0.03)
    assert found["loss"] == pytest.approx(first["loss"], rel=0.01)  # the law that made the rows is the one fitted
    fitted = {row["run_id"] for row in machine.trained if row["purpose"] != "forecast"}
    assert set(found["based_on"]) == fitted


def test_grading_by_hand(machine, tmp_path, capsys):
    a, b = (dataclasses.replace(p, purpose="forecast") for p in machine.grid.runs[:2])
    other = dataclasses.replace(machine.grid.runs[2], purpose="forecast")  # of an earlier forecast: not graded
    losses = {a.run_id: 2.0, b.run_id: 2.1, other.run_id: 9.0}
    machine.loss = lambda planned: losses[planned.run_id]
    machine.run_plan(machine.grid, (a, b, other), tmp_path)
    made = {"loss": 2.05, "loss_interval": [1.9, 2.05], "level": 0.9, "naive": {"best_loss": 2.255, "power_law": 1.845}}
    demo.grade(tmp_path, made, {a.run_id, b.run_id})
    grading = written(tmp_path)["grading"]
    assert sorted(grading["losses"]) == [2.0, 2.1]
    assert grading["mean"] == pytest.approx(2.05)
    assert grading["inside"] == 1
    assert list(grading["errors"].values()) == pytest.approx([0, 0.1, -0.1])
    out = capsys.readouterr().out
    assert "+0.00 %" in out
    assert "+10.00 %" in out
    assert "-10.00 %" in out
    assert "inside the 90% interval: 1 of 2 runs" in out


def test_a_forecast_made_when_the_answer_was_known_says_so(machine, call, tmp_path, capsys):
    assert call() == 0
    forecast = written(tmp_path)
    machine.loss = lambda planned: chinchilla(planned) * 1.001
    more = config.replace(machine.grid.config, {"sweep.seeds": (0, 5)})
    machine.grid = plan(more, FACTS)
    capsys.readouterr()
    assert call() == 0
    later = written(tmp_path)
    assert later["run_id"] == forecast["run_id"]
    assert len(later["based_on"]) == 2 * len(forecast["based_on"])
    assert not later["before_training"]
    assert "AFTER the run was in the table" in capsys.readouterr().out


def test_interrupted_in_the_sweep_nothing_is_forecast(machine, call, tmp_path):
    machine.stop_at = "grid"
    assert call() == 130
    assert not (tmp_path / "forecast.json").exists()


def test_a_failed_run_is_an_exit_code_of_its_own(machine, call, tmp_path, capsys):
    machine.fail_at = "forecast"
    assert call() == 1
    assert "nothing to grade" in capsys.readouterr().out
    machine.fail_at = None
    assert call() == 0
    assert written(tmp_path)["before_training"]


def test_a_forecast_that_cannot_run_is_refused_before_the_sweep(machine, call, tmp_path, capsys):
    machine.grid = plan(config.replace(machine.grid.config, {"sweep.forecast_seeds": ()}), FACTS)
    assert call() == 2
    assert capsys.readouterr().err.startswith("error: sweep.forecast_seeds: empty")
    assert not machine.trained


def test_the_best_run_stands_beside_the_compressors(machine, tmp_path):
    machine.run_plan(machine.grid, machine.grid.runs, tmp_path)
    lowest = min(chinchilla(planned) for planned in machine.grid.runs) / math.log(2)
    line = demo.best_run(tmp_path, {"gzip": 2.656, "xz": 1.83})
    assert f"best run: {lowest:.3f} bits per byte" in line
    assert line.endswith("gzip 2.656, xz 1.830 on the whole text")


@pytest.mark.parametrize(
    "facts, said",
    [
        ({"loss_kind": "squared_error", "context": 1, "r2": 0.99}, " squared error, r2 0.9900 held out (width"),
        ({"context": 1, "accuracy": 0.75}, " nats/example, accuracy 0.7500 held out (width"),
    ],
)
def test_the_best_run_of_another_task_stands_alone(machine, tmp_path, facts, said):
    own = machine.grid.runs[:3]
    with table.Journal(tmp_path) as journal:
        for loss, planned in zip((3e-5, 0.0, 2e-5), own, strict=True):
            journal.append(row_of(planned, 1.0) | {"bits_per_byte": None, "loss": loss} | facts)
        table.compact(tmp_path)
    line = demo.best_run(tmp_path, demo.compressors(config.TaskConfig(name="table")))
    assert line.startswith("best run: loss 0.000 ± ")
    assert said in line
    assert "whole text" not in line


def test_a_forecast_is_told_in_its_unit():
    forecast = {
        "made_at": "now",
        "flops": 1e9,
        "extrapolation": 4.0,
        "width": 8,
        "depth": 2,
        "n_params": 1e3,
        "tokens": 1e5,
    }
    forecast |= {"loss": 1.5e-5, "loss_interval": [1e-5, 2e-5], "level": 0.9}
    assert demo.describe_forecast(forecast | {"unit": "squared error"})[1] == (
        "  loss 1.500e-05 squared error, 90% interval 1.000e-05 to 2.000e-05"
    )
    assert "nats/token" in demo.describe_forecast(forecast)[1]
