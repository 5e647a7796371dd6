"""Settings of fine-tuning: what is refused, and what a sweep makes of them."""

import re

import pytest
from table_rows import a_row

from scaling_laws import config, families, spec, validation
from scaling_laws.config import ConfigError, ExperimentConfig, RunConfig, replace
from scaling_laws.sweep import study
from scaling_laws.sweep.plan import plan
from scaling_laws.sweep.planned import TaskFacts
from scaling_laws.table import Journal, TableError
from scaling_laws.techniques import catalog

SOURCE = "0123456789abcdef"
TEXT = spec.text(256, 128)


def run_of(**changes):
    return replace(RunConfig(), {name.replace("__", "."): value for name, value in changes.items()})


def tuned(**changes):
    return run_of(**({"transfer__source": SOURCE} | changes))


BLOCKS = {"transfer__frozen": "blocks", "transfer__frozen_blocks": 1}
LINEAR = {"model__family": "mlp", "model__depth": 0}
PAIRS = {"model__family": "recommender", "transfer__frozen": "body"}


@pytest.mark.parametrize(
    "run, line",
    [
        (run_of(transfer__frozen="body"), "frozen: 'body'; allowed: 'none' without transfer.source"),
        (run_of(transfer__new_head=True), "new_head: True; allowed: False without transfer.source"),
        (run_of(transfer__source_workdir="x"), "source_workdir: 'x'; allowed: '' without transfer.source"),
        (tuned(transfer__source="../x"), "source: '../x'; allowed: a run_id, 16 of 0 to 9 and a to f"),
        (tuned(transfer__frozen="head"), "frozen: 'head'; allowed: none, embedding, blocks, body"),
        (tuned(transfer__frozen="blocks"), "frozen_blocks: 0; allowed: 1 to 2 in this model"),
        (tuned(**BLOCKS | {"transfer__frozen_blocks": 3}), "frozen_blocks: 3; allowed: 1 to 2 in this model"),
        (tuned(transfer__frozen_blocks=1), "frozen_blocks: 1; allowed: 0 with transfer.frozen=none"),
        (tuned(**BLOCKS, model__layers="scanned"), "frozen: blocks; allowed: none, embedding, body where blocks are"),
        (tuned(model__tie_embeddings=True, transfer__frozen="body"), "frozen: body; allowed: none with model.tie_emb"),
        (tuned(model__tie_embeddings=True, transfer__new_head=True), "new_head: True; allowed: False with model.tie_"),
        (tuned(**LINEAR, transfer__frozen="body"), "frozen: body; allowed: none, for model.family=mlp of depth 0 has"),
        (tuned(**PAIRS), "frozen: body; allowed: none, for model.family=recommender of depth 2 has no layers one"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(run, line):
    with pytest.raises(ConfigError, match=re.escape(line)) as error:
        validation.validate_run(run)
    assert str(error.value).startswith("transfer.")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("changes", [{}, BLOCKS, {"transfer__frozen": "body", "model__layers": "scanned"}, LINEAR])
def test_what_can_be_is_allowed(changes):
    assert validation.validate_run(tuned(**changes)) is None


@pytest.mark.parametrize(
    "run, expected",
    [
        (run_of(), ("none", 0.0)),
        (tuned(), ("transfer", 1.0)),
        (tuned(transfer__frozen="embedding"), ("transfer", 2.0)),
        (tuned(**BLOCKS), ("transfer", 3.0)),
        (tuned(transfer__frozen="body"), ("transfer", 4.0)),
    ],
)
def test_the_strength_is_one_and_what_rests(run, expected):
    assert catalog.of(run) == expected


def test_what_a_run_begins_from_is_its_identity_and_not_its_program():
    one, other = tuned(), tuned(transfer__source=SOURCE[::-1], transfer__new_head=True)
    assert len({config.identity(run, "x") for run in (run_of(), one, other)}) == 3
    assert config.form(one) == config.form(other) == config.form(run_of())
    assert config.form(tuned(transfer__frozen="body")) != config.form(one)


SWEEP = {"sweep.budgets": (1e9,), "sweep.min_steps": 2, "sweep.max_epochs": 1e6, "model.depth": 0, "task.context": 16}
SWEEP |= {"sweep.widths": (16, 32), "sweep.depths": (1, 2), "transfer.source": SOURCE}
FACTS = TaskFacts(10**6, "c0ffee", spec.text(256, 16))


def test_a_sweep_refuses_shapes_without_the_layers_that_rest():
    frozen = {"transfer.frozen": "blocks", "transfer.frozen_blocks": 2}
    found = plan(replace(ExperimentConfig(), SWEEP | frozen | {"model.width": 16}), FACTS)
    assert {planned.shape for planned in found.runs} == {(16, 2)}
    assert [refusal.reason for refusal in found.refusals] == [
        "transfer.frozen_blocks: 2; allowed: 1 to 1 in this model"
    ]
    free = families.count(found.runs[0].run.model, FACTS.spec)
    assert found.runs[0].counts.flops_per_token < free.flops_per_token


def test_a_sweep_over_other_shapes_than_its_sources_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "facts_of", lambda *_: FACTS)
    experiment = replace(ExperimentConfig(), SWEEP | {"model.width": 16})
    with pytest.raises(TableError, match="no runs here"):
        study.plan_sweep(experiment, tmp_path)
    settings = '{"model.width": 16, "model.depth": 1, "train.parametrization": "completep", "train.base_width": 64, '
    settings += '"train.base_depth": 2}'
    with Journal(tmp_path) as journal:
        journal.append(a_row(run_id=SOURCE, status="finished", config=settings))
    with pytest.raises(ConfigError, match=rf"^model.depth: 2; allowed: 1, as transfer.source {SOURCE} has it$"):
        study.plan_sweep(experiment, tmp_path)
    found = study.plan_sweep(replace(experiment, {"model.depth": 1}), tmp_path)
    assert {planned.shape for planned in found.runs} == {(16, 1)}
