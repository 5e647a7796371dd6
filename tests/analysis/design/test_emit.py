"""Recipes of a design: the planner plans exactly the chosen runs."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from analysis.design import Candidates, Wanted, design, emit, shapes
from analysis.design.candidates import Shape
from analysis.load import load
from analysis.options import Options
from analysis.study import chosen_runs, runs_of
from experiments import overrides
from scaling_laws import spec
from scaling_laws.config import ConfigError
from scaling_laws.sweep.plan import plan
from scaling_laws.sweep.planned import TaskFacts

DEMO = Path(__file__).parents[3] / "docs" / "results" / "demo"
OPTIONS = Options(bootstrap=6)


@pytest.fixture(scope="module")
def demo():
    """The runs of the demo and a design for them."""
    runs, _ = chosen_runs(runs_of(DEMO, OPTIONS), OPTIONS)
    return runs, design(runs, OPTIONS, Wanted(5e12, "exponent", max_runs=30, max_seeds=3, misfit=0.0))[0]


@pytest.fixture(scope="module")
def facts():
    """The demo's task."""
    return TaskFacts(unique_tokens=3_523_529, corpus_hash="c0ffee", spec=spec.text(1024, 64), data_bytes=10**7)


def test_the_planner_plans_exactly_the_chosen_runs(demo, facts, tmp_path):
    runs, found = demo
    paths = emit.write(emit.recipes(found, runs, "next"), tmp_path)
    planned = [run for path in paths for run in plan(overrides.load(str(path)), facts).runs]
    assert len({run.run_id for run in planned}) == len(planned) == found.after.runs
    wanted = Counter({(row["width"], row["depth"], row["steps"]): row["seeds"] for row in found.rows()})
    assert Counter((*run.shape, run.run.train.steps) for run in planned) == wanted
    assert sum(run.flops for run in planned) == pytest.approx(found.after.flops)
    rows = {(row["width"], row["depth"]): row for row in found.rows()}
    assert all(run.counts.n_params == rows[run.shape]["n_params"] for run in planned)
    assert not {run.run.train.seed for run in planned} & set(runs["seed"].tolist())
    for path in paths:
        assert not plan(overrides.load(str(path)), facts).refusals


def test_the_settings_are_those_of_the_table(demo, facts, tmp_path):
    runs, found = demo
    path = emit.write(emit.recipes(found, runs, "next"), tmp_path)[0]
    ours = plan(overrides.load(str(path)), facts).runs[0].run
    given = shapes.settings_of(runs)
    from scaling_laws import config

    values = {name: value for name, _, value in config.leaves(ours)}
    own = set(emit.AXES) | {"model.width", "model.depth"}
    assert {k: v for k, v in given.items() if k not in own} == {k: values[k] for k in given if k not in own}


def test_rates_follow_the_rule_that_the_table_was_trained_by(demo):
    runs, _ = demo
    found = emit.rates(runs)  # demo_rule.json: 1583.07 N^-0.42383 D^-0.45909
    assert found["sweep.lr_n_exponent"] == pytest.approx(-0.42383, abs=1e-3)
    assert found["sweep.lr_d_exponent"] == pytest.approx(-0.45909, abs=1e-3)
    assert emit.rates(runs.with_columns(learning_rate=np.full(len(runs), 0.02))) == {"optimizer.learning_rate": 0.02}


def test_every_run_is_in_one_grid_and_trunks_stay_whole(demo):
    _, found = demo
    parts = emit.grids(found, first_seed=5)
    assert max(row["seeds"] for row in found.rows()) == 3
    assert sum(map(len, parts)) == found.after.runs
    where = {}
    for k, part in enumerate(parts):
        for width in part.widths:
            for seed in part.seeds:
                assert where.setdefault((part.depth, width, seed), k) == k
    assert min(seed for part in parts for seed in part.seeds) == 5


def test_shapes_of_the_demo_are_counted_as_its_rows_are(demo):
    runs, found = demo
    rows = {(w, d): (n, c / t) for w, d, n, c, t in zip(
        *(runs[name].tolist() for name in ("width", "depth", "n_params", "flops", "tokens")), strict=True)}  # fmt: skip
    same = [shape for shape in found.candidates.shapes if (shape.width, shape.depth) in rows]
    assert len(same) >= 3
    for shape in same:
        assert (shape.n_params, shape.flops_per_token) == pytest.approx(rows[shape.width, shape.depth])
    sizes = np.log([shape.n_params for shape in found.candidates.shapes])
    assert np.diff(sizes).max() < 3 * np.median(np.diff(sizes))


def test_tables_without_settings_keep_their_shapes_or_get_even_sizes(demo):
    runs, found = demo
    from analysis.frontier import SIX_N_D

    bare = type(runs)({name: values for name, values in runs.columns.items() if name != "config"})
    kept, source = shapes.shapes_of(bare, (1e4, 1e6), SIX_N_D)
    assert source == "the shapes of the table"
    assert {(s.width, s.depth) for s in kept} == set(zip(runs["width"].tolist(), runs["depth"].tolist(), strict=True))
    foreign = type(runs)({name: runs[name] for name in ("n_params", "tokens", "flops", "loss")})
    even, source = shapes.shapes_of(foreign, (1e4, 1e6), SIX_N_D)
    assert source == "even sizes, C = 6 N D"
    assert [shape.flops_per_token for shape in even] == pytest.approx([6 * shape.n_params for shape in even])
    with pytest.raises(ConfigError, match="no settings to go by"):
        emit.recipes(found, foreign, "next")
    with pytest.raises(ConfigError, match="letters, digits"):
        emit.recipes(found, runs, "next run")


def test_steps_follow_the_commonest_batch():
    runs = load(DEMO)
    assert shapes.batch_tokens_of(runs) == 512
    assert shapes.batch_tokens_of(type(runs)({"tokens": np.ones(2)})) == 0
    each = Candidates((Shape(10, 60, 8, 1),), np.array([0, 0]), np.array([1024.0, 5120.0]), 512)
    assert each.steps_J.tolist() == [2, 10]
