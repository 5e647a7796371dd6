"""The recipe of a design: the planner plans exactly the chosen runs."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from analysis import shape_counts
from analysis.design import Candidates, Wanted, design, emit, shapes
from analysis.design.candidates import Shape
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


def planned_from(text, facts, folder):
    """What the planner makes of a recipe."""
    (folder / "next.py").write_text(text)
    return plan(overrides.load(str(folder / "next.py")), facts)


@pytest.mark.parametrize("even", [False, True])
def test_the_planner_plans_exactly_the_chosen_runs(demo, facts, tmp_path, even):
    runs, found = demo
    made = planned_from(emit.recipe(found, runs, "next.py", even), facts, tmp_path)
    planned, promise, rows = made.runs, found.even if even else found.after, found.rows(found.even_J if even else None)
    assert len({run.run_id for run in planned}) == len(planned) == promise.runs
    wanted = Counter({(row["width"], row["depth"], row["steps"]): row["seeds"] for row in rows})
    assert Counter((*run.shape, run.run.train.steps) for run in planned) == wanted
    assert sum(run.flops for run in planned) == pytest.approx(promise.flops)
    sizes = {(row["width"], row["depth"]): row["n_params"] for row in rows}
    assert all(run.counts.n_params == sizes[run.shape] for run in planned)
    assert not {run.run.train.seed for run in planned} & set(runs["seed"].tolist())
    assert not made.refusals


def test_the_settings_are_those_of_the_table(demo, facts, tmp_path):
    runs, found = demo
    ours = planned_from(emit.recipe(found, runs, "next.py"), facts, tmp_path).runs[0].run
    given = shape_counts.settings_of(runs)
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


def test_runs_are_spelt_from_the_first_seed_on_the_dearest_first():
    rows = [
        {"width": 8, "depth": 2, "steps": 300, "seeds": 3, "flops": 3.0},
        {"width": 16, "depth": 1, "steps": 900, "seeds": 1, "flops": 2.0},
    ]
    assert emit.spelt(rows, first_seed=5) == ("16x1x900x5", "8x2x300x5", "8x2x300x6", "8x2x300x7")


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
        emit.recipe(found, foreign, "next.py")


def test_steps_follow_the_batch():
    each = Candidates((Shape(10, 60, 8, 1),), np.array([0, 0]), np.array([1024.0, 5120.0]), 512)
    assert each.steps_J.tolist() == [2, 10]
