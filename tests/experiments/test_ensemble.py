"""experiments.ensemble: from a command to rows, a table and a figure; members are trained in this process."""

import csv
import json
from pathlib import Path

import pytest

from experiments import cli, ensemble
from experiments.ensembles.study import Asked, grouped
from scaling_laws.config import ExperimentConfig, replace
from scaling_laws.spec import Spec
from scaling_laws.sweep import study
from scaling_laws.sweep.planned import TaskFacts
from scaling_laws.sweep.summary import Summary
from scaling_laws.table import Journal, read_runs

SETTINGS = {"task.name": "table", "task.path": "iris", "model.family": "mlp", "model.width": 6, "model.depth": 1}
SETTINGS |= {"sweep.steps": "20", "sweep.seeds": "0,1", "sweep.min_steps": 2, "sweep.max_epochs": 50}
SETTINGS |= {"train.batch_size": 8, "train.curve_points": 2, "optimizer.learning_rate": 0.03}


@pytest.fixture
def call(monkeypatch, tmp_path):
    """`call(*words)`: exit code; `call.packs`: how many runs were trained each time."""

    def train_runs(config, facts, runs, workdir, n_workers):
        from scaling_laws.tasks import catalog
        from scaling_laws.train import loop
        from scaling_laws.train.member import Order

        with Journal(workdir) as journal:
            known = {row["run_id"] for row in journal.rows()}
            by_task = {}
            for one in runs:
                if one.run_id not in known:
                    by_task.setdefault((one.run.task, one.form), []).append(one)
            for (settings, _), ones in by_task.items():
                task = catalog.load(settings, Path(tmp_path))
                orders = [Order(one.run) for one in ones]
                for row, curve in loop.train_pack(orders, task, workdir=Path(workdir), say=lambda _: None):
                    journal.append(row, curve)
            rows = journal.rows()
        call.packs.append(sum(map(len, by_task.values())))
        return Summary((), 0, 0, False, 1.0), rows

    def call(*words):
        settings = [f"--config.{path}={value}" for path, value in SETTINGS.items()]
        return cli.call(ensemble.run, ["ensemble", f"--workdir={tmp_path / 'runs'}", *settings, *words])

    monkeypatch.setattr(study, "train_runs", train_runs)
    call.packs, call.workdir = [], tmp_path / "runs"
    return call


def made(call):
    found = read_runs(call.workdir).to_pylist()
    return [row for row in found if row["purpose"] == "ensemble"], [
        row for row in found if row["purpose"] != "ensemble"
    ]


def test_ensembles_of_each_size_and_seed_are_rows_beside_their_members(call, capsys):
    assert call("--members=1,2", "--memory_split") == 0
    derived, trained = made(call)
    assert len(derived) == 2 * 2 + 2  # those of one member are the same in both ways
    ids = {row["run_id"]: row for row in trained}
    for row in derived:
        settings = json.loads(row["config"])
        members = [ids[name] for name in settings["ensemble.members"]]
        assert (row["strength"], row["n_params"]) == (len(members) - 1, sum(one["n_params"] for one in members))
        if len(members) == 1:
            assert {row[name] == members[0][name] for name in ("loss", "loss_se", "accuracy", "flops")} == {True}
    lines = list(csv.DictReader((call.workdir / "ensembles.csv").open()))
    assert [line["members"] for line in lines] == ["1", "2"] * 2
    mean = sum(row["loss"] for row in derived if row["strength"] == 1 and row["width"] == 6) / 2
    assert float(lines[1]["loss"]) == pytest.approx(mean)
    assert "loss = c + b / K with c" in capsys.readouterr().out
    assert (call.workdir / "figures" / "over_members.png").exists()
    assert call("--members=1,2", "--memory_split") == 0
    assert call.packs == [2 + 2 + 4, 0]
    assert made(call) == (derived, trained)


def test_numbers_that_are_none_are_refused(call, capsys):
    assert call("--members=0,2") == 2
    assert capsys.readouterr().err == "error: --members: 0; allowed: 1 or more\n"


def test_a_stack_counts_the_runs_of_its_folds(call, capsys):
    settings = ["--config.model.width=0", "--config.sweep.widths=4,6", "--config.sweep.seeds=0"]
    assert call("--kind=stacking", "--stacking_folds=2", "--members=1", *settings) == 0
    (row,), trained = made(call)
    assert (row["technique"], row["strength"], row["width"]) == ("stacking", 1.0, 0)
    assert row["flops"] + row["extra_flops"] == sum(one["flops"] for one in trained)
    assert len(trained) == 2 + 2 * 2
    assert row["n_params"] == sum({one["n_params"] for one in trained})
    assert "the best of 2:" in capsys.readouterr().out


def test_a_stack_may_be_of_several_families():
    facts = TaskFacts(1000, "c0ffee", Spec("image", (8, 8, 1), 10))
    settings = {"model.width": 8, "model.depth": 1, "task.name": "images", "sweep.steps": (60,), "sweep.seeds": (0, 3)}
    config = replace(ExperimentConfig(), settings | {"sweep.max_epochs": 10.0})
    asked = Asked("stacking", folds=3, families=("mlp", "convnet"))
    (stacks,) = grouped(config, facts, asked).values()
    assert [{one.run.train.seed for one in (*stack.members, *stack.beside)} for stack in stacks] == [{0}, {3}]
    for stack in stacks:
        assert [one.run.model.family for one in stack.members] == ["mlp", "convnet"]
        beside = [(one.run.model.family, one.run.train.fold) for one in stack.beside]
        assert beside == [(family, fold) for family in ("mlp", "convnet") for fold in range(3)]


def test_stages_are_trained_one_after_the_other(call):
    words = ["--members=1,3", "--boosting_rate=0.5", "--nomemory_split", "--config.sweep.seeds=0"]
    assert call("--kind=boosting", *words) == 0
    derived, trained = made(call)
    assert call.packs == [1, 1, 1]
    assert {row["technique"] for row in derived} == {"boosting"}
    alone, three = sorted(derived, key=lambda row: row["strength"])
    (first,) = [row for row in trained if row["technique"] == "none"]
    assert (alone["loss"], alone["strength"]) == (first["loss"], 0.0)
    assert three["flops"] + three["extra_flops"] == sum(row["flops"] + (row["extra_flops"] or 0) for row in trained)
    assert three["pretrain_flops"] is None
