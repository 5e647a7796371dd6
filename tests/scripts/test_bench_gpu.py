"""The accelerator's benchmark on a machine without one: what it says, and its arithmetic on made-up seconds."""

import pytest

from scaling_laws import families, spec
from scaling_laws.config import RunConfig, replace
from scripts.benchmarks import gpu, power_sums


def test_without_an_accelerator_nothing_is_claimed(monkeypatch):
    monkeypatch.setattr(gpu, "measurable", lambda: False)
    rows = [row for section in gpu.SECTIONS.values() for row in section()]
    assert len(rows) == 3
    assert all(row.measured.startswith("not measured") and row.met is None for row in rows)


def test_the_large_model_has_124m_parameters():
    run = replace(RunConfig(), gpu.LARGE.settings)
    assert families.count(run.model, spec.text(gpu.LARGE.vocab_size, 1024)).n_non_embedding == pytest.approx(
        85e6, rel=0.01
    )
    medium = families.count(replace(RunConfig(), gpu.MEDIUM.settings).model, spec.text(gpu.MEDIUM.vocab_size, 512))
    assert medium.n_params == pytest.approx(10e6, rel=0.1)
    small = families.count(replace(RunConfig(), gpu.SMALL).model, spec.text(256, 128))
    assert small.n_params == pytest.approx(1e5, rel=0.1)


def test_utilisation_is_the_counted_flops_over_the_seconds_and_the_cards_rate(monkeypatch):
    monkeypatch.setattr(gpu, "measurable", lambda: True)
    monkeypatch.setattr(gpu, "product_rate", lambda size: 1e15)
    monkeypatch.setattr(gpu.flags, "FLAGS", type("Flags", (), {"on_cpu": False}))

    def seconds(run, vocab_size, members, strategy):
        counts = families.count(run.model, spec.text(vocab_size, run.task.context))
        flops = counts.flops_per_token * run.train.batch_size * run.task.context
        return flops / 1e15 / (0.4 if run.train.batch_size < 64 else 0.6)

    monkeypatch.setattr(gpu, "step_seconds", seconds)
    (row,) = gpu.utilisation(gpu.LARGE)
    assert row.measured.startswith("60.0% of 1e+03 TFLOP/s")
    assert row.met
    assert [round(each["utilisation"], 6) for each in row.values["tried"]] == [0.4, 0.4, 0.4, 0.6] * 2


def test_a_packs_gain_is_members_times_the_step_alone_over_its_own(monkeypatch):
    monkeypatch.setattr(gpu, "measurable", lambda: True)
    monkeypatch.setattr(gpu.flags, "FLAGS", type("Flags", (), {"on_cpu": False}))
    monkeypatch.setattr(
        gpu, "step_seconds", lambda run, vocab, members, strategy: {"map": members, "vmap": 2}[strategy]
    )
    (row,) = gpu.packs()
    assert (row.values["vmap"], row.values["map"], row.met) == (16.0, 1.0, True)


def test_every_table_comes_once_before_one_comes_twice():
    turns = power_sums.in_turn(["a", "b", "c"], (1e-3, 1e-4))
    assert [name for name, _ in turns] == ["a", "b", "c"] * 2
    assert len(set(turns)) == 6
    assert {delta for _, delta in turns[:3]} == {1e-3, 1e-4}
