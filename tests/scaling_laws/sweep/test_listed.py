"""Sweeps as lists of runs: what is spelt is planned, as a grid plans the same runs, and bad lists end in one line."""

import json

import pytest

from scaling_laws import config, table
from scaling_laws.config import ConfigError
from scaling_laws.sweep import forecast, listed, rule, show, study, trunks
from scaling_laws.sweep.arms import cells
from scaling_laws.sweep.listed import ListedRun
from scaling_laws.sweep.plan import plan

LIST = ("16x2x300x1", "8x1x3000x0", "8x1x300x0", "8x1x300x7")


def test_a_run_as_it_is_spelt():
    assert ListedRun.parse("16x2x4000x3") == ListedRun(width=16, depth=2, steps=4000, seed=3)
    assert str(ListedRun.parse("16x2x4000x3")) == "16x2x4000x3"
    assert ListedRun.parse("8x0x2x0").depth == 0


def test_the_plan_is_the_list(experiment, facts):
    planned = plan(experiment(sweep__runs=LIST), facts)
    assert [(*p.shape, p.run.train.steps, p.run.train.seed) for p in planned.runs] == [
        (8, 1, 300, 0), (8, 1, 300, 7), (16, 2, 300, 1), (8, 1, 3000, 0)
    ]  # fmt: skip
    assert {p.budget for p in planned.runs} == {None}
    assert all(p.run.train.data_seed == p.run.train.seed for p in planned.runs)
    assert [line.split()[-3] for line in show.table(planned, 1)[1:4]] == ["0,7", "1", "0"]


def test_a_run_of_a_list_is_the_same_run_of_a_grid(experiment, facts):
    ruled = {"sweep__lr_coefficient": 1.8, "sweep__lr_n_exponent": -0.7, "sweep__lr_d_exponent": 0.3}
    grid = plan(experiment(sweep__steps=(300, 3000), sweep__seeds=(0, 1, 7), **ruled), facts).runs
    by_place = {(*p.shape, p.run.train.steps, p.run.train.seed): p for p in grid}
    runs = plan(experiment(sweep__runs=LIST, **ruled), facts).runs
    assert len(runs) == len(LIST)
    for one in runs:
        assert one == by_place[(*one.shape, one.run.train.steps, one.run.train.seed)]  # the identity and the rate too


def test_a_list_of_the_whole_grid_is_the_grid(experiment, facts):
    grid = plan(experiment(sweep__steps=(300, 3000), sweep__seeds=(0, 1)), facts).runs
    spelt = tuple(f"{w}x{d}x{n}x{s}" for n in (300, 3000) for w in (8, 16, 32) for d in (1, 2) for s in (0, 1))
    assert plan(experiment(sweep__runs=spelt), facts).runs == grid


def test_several_rates_a_run(experiment, facts):
    runs = plan(experiment(sweep__runs=LIST, sweep__lr_multipliers=(0.5, 1.0)), facts).runs
    assert len(runs) == 2 * len(LIST)
    assert len({p.run.optimizer.learning_rate for p in runs}) == 2


def test_branches_of_a_list_share_their_trunk(experiment, facts):
    wsd = {"optimizer__schedule": "wsd", "optimizer__warmup_steps": 20}
    runs = plan(experiment(sweep__runs=("8x1x300x0", "8x1x600x0", "8x1x600x1"), **wsd), facts).runs
    begins = {(p.run.train.steps, p.run.train.seed): p.begins_at for p in runs}
    assert begins == {(300, 0): 0, (600, 0): config.trunk_steps(runs[0].run), (600, 1): 0}
    assert "save" in trunks.saving(runs)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sweep__runs": ("16x2x300",)}, "sweep.runs: '16x2x300'; allowed: WIDTHxDEPTHxSTEPSxSEED, four whole numbers"),
        ({"sweep__runs": ("16x2x300x-1",)}, "sweep.runs: '16x2x300x-1'; allowed: WIDTHx"),
        ({"sweep__runs": ("",)}, "sweep.runs: ''; allowed: WIDTHx"),
        ({"sweep__runs": ("9" * 5000 + "x1x300x0",)}, "allowed: WIDTHx"),
        ({"sweep__runs": ("0x2x300x0",)}, "sweep.runs: '0x2x300x0': widths: 0; allowed: whole number, 1 to 65536"),
        ({"sweep__runs": ("16x2x1x0",)}, "sweep.runs: '16x2x1x0': steps: 1; allowed: whole number, 2 to"),
        ({"sweep__runs": ("16x2x300x3000000000",)}, "seeds: 3000000000; allowed: whole number, 0 to 2147483647"),
        ({"sweep__runs": ("16x2x300x0", "16x2x300x0")}, "sweep.runs: .* repeats a value"),
        ({"sweep__runs": ("16x2x300x0", "16x2x300x00")}, "sweep.runs: '16x2x300x00': width, depth, steps and seed of"),
        ({"model__width": 16}, "model.width: 16; allowed: 0 with sweep.runs, which says it"),
        ({"sweep__steps": (300,)}, "sweep.steps: given; allowed: none with sweep.runs"),
        ({"sweep__extra_seeds": (5,)}, "sweep.extra_seeds: given; allowed: none with sweep.runs"),
        ({"sweep__lr_multipliers": ()}, "sweep.lr_multipliers: empty"),
        (
            {
                "sweep__runs": tuple(f"8x1x300x{k}" for k in range(5001)),
                "sweep__lr_multipliers": tuple(1 + k / 100 for k in range(20)),
            },
            "sweep.runs: 100020 runs with all rates; allowed",
        ),
        (
            {"sweep__runs": ("8x1x300x0", "20x1x300x0")},
            "sweep.runs: width 20 depth 1, everywhere: .*model.head_dim = 8",
        ),
        (
            {"sweep__runs": ("8x1x40x0", "8x1x30x0", "8x1x300x0")},
            "sweep.runs: width 8 depth 1, 30 steps: 30 steps, sweep.min_steps is 50; allowed: .*; and 1 more",
        ),
        ({"sweep__max_epochs": 0.01}, "sweep.runs: width 8 depth 1, 3,000 steps: data too small"),
        ({"optimizer__learning_rate": 900.0, "sweep__lr_multipliers": (2.0,)}, "rate 1.8e\\+03 by the rule is out"),
    ],
)
def test_bad_lists_end_in_one_line(experiment, facts, changes, message):
    with pytest.raises(ConfigError, match=message) as caught:
        plan(experiment(**{"sweep__runs": LIST} | changes), facts)
    assert "\n" not in str(caught.value)


def test_a_rule_for_the_batch_of_a_budget_has_none_here(experiment, facts, tmp_path, monkeypatch):
    law = rule.PowerLaw(1.0, 0.0, 0.5)
    found = rule.Rule(law, law, "completep", 64, 2, "adamw", {}, "a rule")
    monkeypatch.setattr(rule, "read", lambda path: found)
    with pytest.raises(ConfigError, match=r"sweep\.runs: given; allowed: none with a rule that sets the batch"):
        plan(experiment(sweep__runs=LIST, sweep__rule="rule.json", train__base_width=64, train__base_depth=2), facts)


def test_what_takes_grids_alone_says_so(experiment, facts):
    given = experiment(sweep__runs=LIST)
    with pytest.raises(ConfigError, match=r"sweep\.runs: given; allowed: none but widths, depths and steps"):
        cells(given)
    with pytest.raises(ConfigError, match=r"sweep\.runs: given; allowed: none but budgets"):
        forecast.heldout_plan(plan(given, facts))


@pytest.mark.slow
def test_a_stopped_list_goes_on(experiment, tmp_path):
    small = {"sweep__runs": ("8x1x60x3", "16x1x50x0"), "sweep__workers": 1, "model__head_dim": 8}
    lines = []
    first = study.run_sweep(experiment(**small | {"sweep__runs": ("8x1x60x3",)}), tmp_path, lines.append)
    done = study.run_sweep(experiment(**small), tmp_path, lines.append)
    assert (first.summary.count("finished"), done.summary.count("finished")) == (1, 1)
    rows = table.read_runs(tmp_path).to_pylist()
    assert {(row["width"], row["steps"], row["seed"]) for row in rows} == {(8, 60, 3), (16, 50, 0)}
    assert {row["run_id"] for row in rows} == {planned.run_id for planned in done.plan.runs}
    assert not any(name.startswith("sweep") for row in rows for name in json.loads(row["config"]))


def test_lists_are_no_part_of_an_identity():
    assert listed.listed(config.SweepConfig()) == ()
    assert not any(path.startswith("sweep") for path in config.non_defaults(config.ExperimentConfig()))
