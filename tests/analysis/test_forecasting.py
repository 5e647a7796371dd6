"""Forecasts against the surface that made the runs; naive guesses by hand."""

import json

import numpy as np
import pytest
from known import isoflop_runs, surface

from analysis import forecasting, select
from analysis.fit import fit
from analysis.load import runs_from
from analysis.predict import parse_at
from scaling_laws.config import ConfigError

BUDGETS = (1e18, 1e19, 1e20, 1e21, 1e22)


@pytest.fixture(scope="module")
def exact():
    return fit(isoflop_runs(BUDGETS, 6))


def test_a_forecast_on_the_frontier_is_the_lowest_loss_at_that_compute(exact):
    forecast = forecasting.predict(exact, flops=1e24)
    n = np.geomspace(1e9, 1e13, 4001)
    assert forecast.loss == pytest.approx(surface(n, 1e24 / (6 * n)).min(), rel=1e-7)
    assert 6 * forecast.n_params * forecast.tokens == pytest.approx(1e24)
    assert forecast.extrapolation == pytest.approx(100)
    assert forecast.loss_interval is None


def test_shapes_can_be_given(exact):
    assert forecasting.predict(exact, n_params=1e9, tokens=1e11).loss == pytest.approx(surface(1e9, 1e11), rel=1e-6)
    assert forecasting.predict(exact, n_params=1e9, tokens=1e11).flops == pytest.approx(6e20)
    assert forecasting.predict(exact, flops=6e20, n_params=1e9).tokens == pytest.approx(1e11)
    assert forecasting.predict(exact, flops=6e20, tokens=1e11).n_params == pytest.approx(1e9)


@pytest.mark.parametrize(
    "point", [{}, {"n_params": 1e9}, {"flops": -1.0}, {"flops": 1e9, "n_params": 1.0, "tokens": 1.0}]
)
def test_points_that_fix_nothing_are_refused(exact, point):
    with pytest.raises(ConfigError, match="allowed"):
        forecasting.predict(exact, **point)


def test_the_interval_covers_new_runs_about_as_often_as_it_says():
    hits, trials = 0, 40
    for seed in range(trials):
        runs = isoflop_runs(BUDGETS, 10, points=10, noise=0.005, seed=seed)
        forecast = forecasting.predict(fit(runs, objective="log_mse", bootstrap=100, seed=seed), flops=4e22)
        new = surface(forecast.n_params, forecast.tokens) * np.exp(
            0.005 * np.random.default_rng(999 + seed).standard_normal()
        )
        low, high = forecast.loss_interval
        hits += low <= new <= high
    assert 30 <= hits <= 40


def test_the_noise_of_a_run_comes_from_repeated_seeds_where_there_are_any():
    runs = isoflop_runs(BUDGETS, 6, points=6, noise=0.01)
    assert "residuals" in forecasting.noise(fit(runs))[1]
    again = {name: np.concatenate([runs[name], runs[name]]) for name in runs.columns}
    again["loss"] = np.concatenate([runs["loss"], runs["loss"] * np.exp(0.02)])
    again |= {name: np.ones(60) for name in ("depth", "learning_rate")}
    again |= {"width": np.tile(np.arange(30.0), 2), "seed": np.repeat([0.0, 1.0], 30)}
    sd, source = forecasting.noise(fit(runs_from(again)))
    assert sd == pytest.approx(0.02 / np.sqrt(2))
    assert source == "30 shapes with repeated seeds"


def test_naive_guesses_by_hand():
    c = np.repeat([1e18, 1e20], 2)
    columns = {"flops": c, "budget": c, "n_params": np.full(4, 1e8), "loss": [5.0, 4.0, 3.0, 2.0]}
    guess = forecasting.naive(runs_from(columns), 1e22)
    assert guess.best_loss == 2.0
    assert guess.power_law == pytest.approx(1.0)
    assert guess.exponent == pytest.approx(np.log(2) / np.log(100))


def test_at_is_parsed_and_refused():
    assert parse_at("n_params=1e9, tokens=2e10") == {"n_params": 1e9, "tokens": 2e10}
    for bad in ("flop=1e9", "flops", "flops=big"):
        with pytest.raises(ConfigError, match="allowed"):
            parse_at(bad)


def test_a_forecast_is_plain_json(exact):
    assert json.loads(json.dumps(forecasting.predict(exact, flops=1e23).to_json()))["level"] == 0.9


def test_held_out_budgets_are_scored():
    fitted, held = select.split_holdout(isoflop_runs(BUDGETS, 6, noise=0.003), "budgets=1")
    result = fit(fitted, bootstrap=100)
    score = forecasting.score(result, held)
    assert score["runs"] == 15
    assert score["rms_log_error"] < 0.02
    assert score["coverage"] > 0.6
    error = np.log(surface(held["n_params"], held["tokens"], result.coefficients) / held["loss"])
    assert score["mean_log_error"] == pytest.approx(error.mean())


def test_limits_for_a_new_run_need_resamples(exact):
    runs = isoflop_runs(BUDGETS, 3)
    value, low, high = forecasting.predicted(exact, runs)
    assert value == pytest.approx(runs["loss"], rel=1e-6)
    assert (low, high) == (None, None)
    assert "coverage" not in forecasting.score(exact, runs)
    sampled = fit(isoflop_runs(BUDGETS, 6, noise=0.003), bootstrap=20)
    value, low, high = forecasting.predicted(sampled, runs)
    assert np.all((low < value) & (value < high))
