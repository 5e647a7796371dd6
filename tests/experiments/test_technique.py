"""experiments.technique: what it refuses, which runs it makes and what it says of them; nothing is trained here."""

import dataclasses
import re

import pytest

from experiments import cli, technique
from scaling_laws import spec
from scaling_laws.ensembles import derive
from scaling_laws.sweep import study
from scaling_laws.sweep.planned import TaskFacts
from scaling_laws.sweep.summary import Summary
from scaling_laws.tasks import catalog

FACTS = TaskFacts(10**6, "c0ffee", spec.text(256, 16))
OTHER = dataclasses.replace(FACTS, corpus_hash="0ff")
SETTINGS = {"model.width": 0, "model.depth": 0, "model.n_heads": 2, "task.context": 16, "sweep.seeds": "0,3"}
SETTINGS |= {"sweep.widths": "8,16,24", "sweep.depths": "1", "sweep.steps": "20,40,80"}
WORTH = 0.25  # nats that dropout of .1 costs


@pytest.fixture
def call(monkeypatch, tmp_path):
    """`call(*words)`: exit code; `call.packs`: the runs of each part, whose losses are least at their middle rate."""

    def train_runs(config, facts, runs, workdir, n_workers, more=lambda rows: []):
        call.packs.append(runs)
        call.folders.append(workdir)
        if not runs:
            return Summary((), 0, 0, False, 1.0), call.rows
        tried = sorted({one.run.optimizer.learning_rate for one in runs})
        middle = tried[len(tried) // 2]
        for one in runs:
            gap = abs(one.run.optimizer.learning_rate - middle)
            seed = one.run.train.seed * (1e-2 + one.run.regularise.dropout / 100)
            loss = 9 * one.run.train.steps**-0.25 + 10 * gap + seed + 10 * WORTH * one.run.regularise.dropout
            status = "diverged" if (one.run.task.path, one.run.train.seed) in call.bad else "finished"
            row = facts.described(one.run, one.counts, one.run_id) | {"status": status, "loss": loss}
            call.rows.append(row)
        assert not more(call.rows)
        return Summary(tuple(call.rows), 0, 0, call.interrupted, 1.0), call.rows

    def call(*words):
        settings = [f"--config.{path}={value}" for path, value in SETTINGS.items()]
        flags = ["--technique=", "--strength=", "--cells=", "--pretrain_path="]  # their values outlive a call
        return cli.call(technique.run, ["technique", f"--workdir={tmp_path}", *settings, *flags, *words])

    monkeypatch.setattr(study, "train_runs", train_runs)
    monkeypatch.setattr(study, "facts_of", lambda config: OTHER if config.task.path == "other.txt" else FACTS)
    call.packs, call.rows, call.folders, call.bad, call.interrupted = [], [], [], set(), False
    return call


def test_the_baseline_first_then_every_strength_by_the_same_seeds(call, capsys):
    assert call("--technique=dropout", "--strength=0,0.1,0.2") == 0
    baseline, *strengths = call.packs
    assert len(baseline) == 9 * 3 * 2
    assert [{one.arm for one in runs} for runs in strengths] == [{("dropout", 0.1)}, {("dropout", 0.2)}]
    for runs in strengths:
        assert {(one.run.model.width, one.run.train.steps) for one in runs} == {(16, 40)}
        assert sorted(one.run.train.seed for one in runs) == [0, 0, 0, 3, 3, 3]
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("dropout 0.1,")]
    assert len(told) == 1
    # of the same seed they differ by .25 and, of seed 3, by .003 more
    assert told[0].endswith(": +0.2515 +- 0.0015")
    assert "width 16 depth 1, 40 steps" in told[0]


def test_members_of_an_ensemble_are_further_seeds_at_the_best_rate(call, monkeypatch, capsys):
    made = []
    monkeypatch.setattr(catalog, "load", lambda task, folder: None)
    monkeypatch.setattr(derive, "finished", lambda groups, rows, workdir: [(each, each.members, []) for each in groups])
    monkeypatch.setattr(
        derive, "deep", lambda group, members, task, average: made.append(group) or {"loss": 3.0, "run_id": "e"}
    )
    monkeypatch.setattr(derive, "write", lambda rows, workdir: call.packs.append(list(rows)))
    assert call("--technique=ensemble", "--strength=2") == 0
    baseline, members, rows = call.packs
    middle = sorted({one.run.optimizer.learning_rate for one in baseline})[1]
    assert sorted((one.run.train.seed, one.run.optimizer.learning_rate) for one in members) == [
        (seed, middle) for seed in (0, 3, 100, 103, 200, 203)
    ]
    assert {one.run_id for one in members if one.run.train.seed < 100} <= {one.run_id for one in baseline}
    assert [group.size for group in made] == [3, 3]
    assert len(rows) == 2
    assert "ensemble 2, width 16 depth 1, 40 steps: 3.0000" in capsys.readouterr().out
    assert call("--technique=ensemble", "--strength=1.5") == 2


def test_sources_on_other_data_come_first_and_into_a_folder_of_their_own(call, tmp_path, capsys):
    words = ["--technique=transfer", "--strength=0.5", "--pretrain_path=other.txt"]
    assert call(*words) == 0
    baseline, sources, runs = call.packs
    middle = sorted({one.run.optimizer.learning_rate for one in baseline})[1]
    assert [(one.run.task.path, one.run.model.width, one.run.train.steps, one.run.train.seed) for one in sources] == [
        ("other.txt", 16, 20, 0),
        ("other.txt", 16, 20, 3),
    ]
    assert {one.run.optimizer.learning_rate for one in sources} == {middle}
    ids = {one.run.train.seed: one.run_id for one in sources}
    assert len(runs) == 6
    for one in runs:
        assert (one.run.task.path, one.run.train.steps) == ("", 40)
        assert one.run.transfer.source == ids[one.run.train.seed]
        assert one.run.transfer.source_workdir == str(tmp_path / "sources")
        assert one.arm == ("transfer", 0.5)
    assert call.folders == [tmp_path, tmp_path / "sources", tmp_path]
    assert "transfer 0.5, width 16 depth 1, 40 steps: " in capsys.readouterr().out


def test_where_a_source_diverged_there_is_no_arm(call, capsys):
    call.bad = {("other.txt", 3)}
    words = ["--technique=transfer", "--strength=0.5", "--pretrain_path=other.txt", "--cells=8x20,16x40"]
    assert call(*words, "--config.sweep.seeds=0") == 0
    assert len(call.packs[2]) == 2 * 3
    assert call(*words) == 0
    assert not call.packs[5]
    assert "transfer 0.5, width 8 depth 1, 20 steps: left out, for a source did not finish" in capsys.readouterr().out


def test_sources_whose_models_have_other_tensors_are_refused_before_anything_is_trained(call, monkeypatch, capsys):
    longer = dataclasses.replace(OTHER, spec=spec.text(256, 32))
    monkeypatch.setattr(study, "facts_of", lambda config: longer if config.task.path == "other.txt" else FACTS)
    words = ["--technique=transfer", "--strength=0.5", "--pretrain_path=other.txt"]
    assert call(*words) == 0
    call.packs.clear()
    assert call(*words, "--config.model.positions=learned") == 2
    line = "'other.txt', whose models have 512 parameters of position where those of the task have 256; allowed: data"
    assert line in capsys.readouterr().err
    assert not call.packs


def test_other_cells_by_name(call):
    assert call("--technique=l2", "--strength=0.1", "--cells=8x20,24x80,8x20") == 0
    assert {(one.run.model.width, one.run.train.steps) for one in call.packs[1]} == {(8, 20), (24, 80)}


def test_interrupted_it_does_not_begin_the_arms(call):
    call.interrupted = True
    assert call("--technique=dropout", "--strength=0.1") == 130
    assert len(call.packs) == 1


@pytest.mark.parametrize(
    "words, said",
    [
        (["--strength=1"], "--technique: ''; allowed: dropout, l1"),
        (["--technique=dropuot"], "did you mean dropout"),
        (["--technique=dropout", "--strength=a"], "--strength: 'a'; allowed: numbers"),
        (["--technique=dropout"], "--strength: ''; allowed: numbers"),
        (
            ["--technique=dropout", "--strength=.1,.1"],
            "--strength: '.1,.1'; allowed: numbers separated by commas, each",
        ),
        (["--technique=dropout", "--strength=.1", "--cells=9x20"], "--cells: '9x20'; allowed: WIDTHxSTEPS of"),
        (["--technique=dropout", "--strength=.1", "--cells=16"], "--cells: '16'; allowed: WIDTHxSTEPS of"),
        (["--technique=dropout", "--strength=.1", "--config.sweep.steps="], "sweep.steps: empty"),
        (["--technique=dropout", "--strength=2"], "regularise.dropout: 2.0; allowed: number, 0 to 0.99"),
        (["--technique=transfer", "--strength=1"], "--pretrain_path: ''; allowed: other data than the task's"),
        (["--technique=transfer", "--strength=1", "--pretrain_path=sotu"], "--pretrain_path: 'sotu'; allowed: other"),
        (["--technique=transfer", "--strength=1e-3", "--pretrain_path=other.txt"], "train.steps: 0; allowed"),
        (["--technique=crop", "--strength=1"], "augment.crop: 1; allowed: 0 where"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(call, capsys, words, said):
    assert call(*words) == 2
    assert re.search(re.escape(said), capsys.readouterr().err)
    assert not call.packs, "refused before anything is trained"


def test_what_there_is_is_listed(call, capsys):
    assert call("--technique=list") == 0
    out = capsys.readouterr().out
    assert "dropout" in out
    assert "share that is dropped" in out
