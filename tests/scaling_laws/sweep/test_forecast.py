import dataclasses

import pytest

from scaling_laws.config import ConfigError
from scaling_laws.sweep import forecast
from scaling_laws.sweep.plan import plan


@pytest.fixture
def grid(experiment, facts):
    def make(**changes):
        return plan(experiment(sweep__forecast_factor=4.0, sweep__forecast_seeds=(0, 1), **changes), facts)

    return make


def test_the_held_out_budget_is_a_multiple_of_the_largest(grid):
    assert forecast.heldout_budget(grid(sweep__budgets=(4e9, 1e9))) == 1.6e10


# N of the grid's shapes by hand, see test_plan.py: 4888, 5672, 11312, 14416, 28768, 41120
@pytest.mark.parametrize(
    "n_opt, shape",
    [(1.0, (8, 1)), (7900.0, (8, 2)), (8100.0, (16, 1)), (20000.0, (16, 2)), (21000.0, (32, 1)), (1e12, (32, 2))],
)
def test_the_shape_nearest_in_ln_n_once_a_seed(grid, n_opt, shape):
    """Between 5672 and 11312 the middle in ln N is 8010; between 14416 and 28768 it is 20365."""
    runs = forecast.forecast_runs(grid(), n_opt)
    assert {planned.shape for planned in runs} == {shape}
    assert [(p.run.train.seed, p.run.train.data_seed) for p in runs] == [(0, 0), (1, 1)]
    assert {(p.purpose, p.budget) for p in runs} == {("forecast", 1.6e10)}
    assert all(abs(p.flops / 1.6e10 - 1) < 0.02 for p in runs)


def test_what_narrows_the_grid_does_not_narrow_the_forecast(grid):
    """The best shape at four times the compute may be one that no budget of the grid kept."""
    narrow = grid(sweep__shapes_per_budget=1, sweep__extra_seeds=(5, 6), sweep__lr_multipliers=(0.5, 1.0, 2.0))
    (first, second) = forecast.forecast_runs(narrow, 41120.0)
    assert first.shape == second.shape == (32, 2)
    assert first.shape not in {planned.shape for planned in narrow.runs}
    assert first.run.optimizer.learning_rate == narrow.config.optimizer.learning_rate


def test_the_rate_follows_the_rule_at_the_held_out_size(grid):
    rule = {"sweep__lr_coefficient": 5.0, "sweep__lr_n_exponent": -0.5, "sweep__lr_d_exponent": -0.1}
    first = forecast.forecast_runs(grid(**rule), 28768.0)[0]
    assert first.run.optimizer.learning_rate == pytest.approx(5 * 28768**-0.5 * first.tokens**-0.1, rel=1e-3)


def test_no_shape_there_is_one_line_with_the_reason(experiment, facts):
    little = dataclasses.replace(facts, unique_tokens=10**6)
    planned = plan(experiment(sweep__max_epochs=0.05), little)
    assert {p.shape for p in planned.runs if p.budget == 4e9} == {(32, 1), (32, 2)}  # 31 and 19 thousand tokens
    with pytest.raises(ConfigError, match=r"sweep.forecast_factor: no shape can run at 1.6e\+10 FLOPs: data too small"):
        forecast.forecast_runs(planned, 1e4)


def test_a_grid_without_budgets_forecasts_none(grid):
    with pytest.raises(ConfigError, match=r"sweep\.steps: given; allowed: none, but budgets"):
        forecast.heldout_plan(grid(sweep__steps=(300,)))


@pytest.mark.parametrize("n_opt", [0.0, float("inf"), float("nan")])
def test_a_law_without_an_optimum_is_one_line(grid, n_opt):
    with pytest.raises(ConfigError, match=r"sweep\.budgets: the law fitted to them"):
        forecast.forecast_runs(grid(), n_opt)


def test_no_seed_is_named_by_its_own_field(experiment, facts):
    with pytest.raises(ConfigError, match=r"sweep\.forecast_seeds: empty"):
        forecast.heldout_plan(plan(experiment(sweep__forecast_seeds=()), facts))
