"""experiments.fine_tuning: which runs it makes, and what it makes of their rows; nothing is trained here."""

import csv
import json

import pytest

from experiments import cli, fine_tuning
from scaling_laws import spec
from scaling_laws.sweep import study
from scaling_laws.sweep.planned import TaskFacts
from scaling_laws.sweep.summary import Summary

FACTS = TaskFacts(10**6, "c0ffee", spec.text(256, 16))
SETTINGS = {"model.width": 16, "model.depth": 1, "task.context": 16, "task.path": "code", "sweep.seeds": "0,3"}
SETTINGS |= {"sweep.lr_multipliers": "0.5,1"}


@pytest.fixture
def call(monkeypatch, tmp_path):
    """`call(*words)`: exit code; `call.packs`: the runs of each part, which 'end' at a loss of 4 - 0.4 ln steps."""

    def train_runs(config, facts, runs, workdir, n_workers):
        call.packs.append(runs)
        rows = []
        for one in runs:
            row = facts.described(one.run, one.counts, one.run_id)
            gain = 0.3 if one.run.transfer.source else 0.0
            loss = 9 * one.run.train.steps**-0.25 - gain + 0.01 * one.run.optimizer.learning_rate
            rows.append(row | {"status": "finished", "loss": loss, "budget": None})
        return Summary(tuple(rows), 0, 0, False, 1.0), rows

    def call(*words):
        settings = [f"--config.{path}={value}" for path, value in SETTINGS.items()]
        return cli.call(fine_tuning.run, ["fine_tuning", f"--workdir={tmp_path}", *settings, *words])

    monkeypatch.setattr(study, "train_runs", train_runs)
    monkeypatch.setattr(study, "facts_of", lambda config: FACTS)
    call.packs = []
    return call


def test_each_seed_is_tuned_from_its_own_source_and_its_worth_is_written(call, tmp_path, capsys):
    words = ["--steps=20,40", "--scratch_steps=20,40,200", "--frozen=none,body", "--source_steps=99"]
    assert call(*words, "--source_path=book") == 0
    sources, runs = call.packs
    assert [(one.run.train.seed, one.run.train.data_seed, one.run.train.steps) for one in sources] == [
        (0, 0, 99),
        (3, 3, 99),
    ]
    assert all(one.run.train.keep_parameters and one.run.task.path == "book" for one in sources)
    assert len(runs) == 2 * (3 + 2 * 2) * 2  # seeds, sizes of each way, rates
    begun = {(one.run.train.seed, one.run.transfer.source) for one in runs if one.run.transfer.source}
    assert begun == {(0, sources[0].run_id), (3, sources[1].run_id)}
    assert {one.run.task.path for one in runs} == {"code"}
    rows = list(csv.DictReader((tmp_path / fine_tuning.FILE).open()))
    assert [(row["arm"], row["finetune_tokens"]) for row in rows if row["frozen_params"] == "0"] == [
        ("all learn", "5120"),
        ("all learn", "10240"),
    ]
    free = {one.counts.flops_per_token for one in runs if one.run.transfer.frozen == "none"}
    body = {one.counts.flops_per_token for one in runs if one.run.transfer.frozen == "body"}
    assert max(body) < min(free)
    for row in rows:
        steps = int(row["finetune_tokens"]) / 256
        needed = (steps**-0.25 - 0.3 / 9) ** -4 * 256  # where 9 S^-.25 is .3 lower
        assert float(row["equivalent_tokens"]) == pytest.approx(needed, rel=0.01)
        assert float(row["transferred_tokens"]) == pytest.approx(needed - steps * 256, rel=0.05)
    assert (tmp_path / "figures" / "fine_tuning.png").exists()
    assert "the source was worth" in capsys.readouterr().out
    assert json.loads(FACTS.described(runs[-1].run, runs[-1].counts, "x")["config"])["transfer.frozen"] == "body"


def test_a_part_that_is_none_is_refused(call, capsys):
    assert call("--frozen=head") == 2
    assert capsys.readouterr().err == "error: --frozen: 'head'; allowed: none, embedding, body\n"
    assert not call.packs
