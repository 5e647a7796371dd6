"""A study around its workers: the task's notes are said, and checks stay with the budgets that are run."""

import dataclasses
import types

import pytest

from scaling_laws import spec, table
from scaling_laws.sweep import study
from scaling_laws.sweep.plan import plan
from scaling_laws.sweep.summary import Summary


def test_the_notes_of_a_task_are_said(experiment, monkeypatch):
    task = types.SimpleNamespace(
        unique_tokens=10**7, content_hash="c0ffee", spec=spec.text(256, 16), train={}, notes=("a copy left out",)
    )
    monkeypatch.setattr(study.catalog, "load", lambda *_: task)
    lines = []
    planned = study.plan_sweep(experiment(), say=lines.append)
    assert lines == ["task: a copy left out"]
    assert planned.facts.corpus_hash == "c0ffee"


@pytest.fixture
def asked(monkeypatch):
    """run_plan with workers that do nothing: the budgets of the checks it asks for once its grid has rows."""
    found = {}

    def execute(runs, facts, pool, journal, *, say, more, choices, limits):
        found["budgets"] = [planned.budget for planned in more(journal.rows())]
        return Summary((), 0, 0, False, 0.0)

    monkeypatch.setattr(study, "execute", execute)
    return found


def test_checks_stay_with_the_budgets_that_are_run(experiment, facts, asked, tmp_path):
    grid = plan(experiment(sweep__lr_check=True, sweep__depths=(1,)), facts)
    with table.Journal(tmp_path) as journal:
        for planned in grid.runs:
            row = facts.described(planned.run, planned.counts, planned.run_id)
            ended = {"status": "finished", "purpose": "grid", "budget": planned.budget, "steps_done": 1, "loss": 2.0}
            journal.append(row | ended)
    lines = []
    study.run_plan(grid, grid.runs, tmp_path, 1, lines.append)
    assert sorted(asked["budgets"]) == [1e9, 1e9, 4e9, 4e9]
    assert sum("learning rate" in line for line in lines) == 2
    study.run_plan(grid, tuple(p for p in grid.runs if p.budget == 4e9), tmp_path, 1, lines.append)
    assert asked["budgets"] == [4e9, 4e9]
    heldout = dataclasses.replace(grid.runs[0], budget=1.6e10)
    lines.clear()
    study.run_plan(grid, (heldout,), tmp_path, 1, lines.append)
    assert asked["budgets"] == []
    assert not any("learning rate" in line for line in lines)
