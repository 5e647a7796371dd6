"""Scores forecast through the loss: planted links, and the runs of Gadre et al. 2024."""

import numpy as np
import pytest
from known import isoflop_runs, published

from analysis import load, metric
from analysis.fit import fit
from analysis.forecasts.made import make
from analysis.load import DataError
from analysis.options import Options
from scaling_laws.config import ConfigError

BUDGETS = (1e18, 1e19, 1e20, 1e21)
EPS, K, GAMMA = 0.9, 3.0, 1.1
OPTIONS = Options(bootstrap=100)


def error_at(loss):
    return EPS - K * np.exp(-GAMMA * loss)


@pytest.fixture(scope="module")
def runs():
    found = isoflop_runs(BUDGETS, 6, points=8, noise=0.003)
    error = error_at(found["loss"]) * np.exp(0.002 * np.random.default_rng(5).standard_normal(len(found)))
    return found.with_columns(error_rate=error, accuracy=1 - error)


def test_a_planted_link_comes_back_either_way_round(runs):
    plain, turned = (metric.link(runs, name, OPTIONS) for name in ("error_rate", "accuracy"))
    assert (plain.turned, turned.turned) == (False, True)
    losses = np.array([2.0, 2.5, 3.0])
    assert plain.score(losses) == pytest.approx(error_at(losses), rel=0.006)
    assert turned.score(losses) == pytest.approx(1 - plain.score(losses))
    assert plain.noise_sd == pytest.approx(0.002, rel=0.3)
    assert metric.read_link(turned.to_json()).score(2.5) == turned.score(2.5)


def test_below_the_loss_without_error_there_is_none():
    link = metric.Link("accuracy", True, {"eps": EPS, "k": K, "gamma": GAMMA}, 0.0)
    free = np.log(K / EPS) / GAMMA
    assert link.score([free - 0.5, free]) == pytest.approx([1, 1])
    assert link.score(free + 0.1) < 1


def test_the_forecast_score_is_the_link_of_the_forecast_loss(runs):
    law = fit(runs, bootstrap=100)
    made = make(runs, law, {"flops": 1e22}, (), "accuracy", OPTIONS)
    assert made.column == "accuracy"
    assert made.value == pytest.approx(1 - error_at(made.forecast.loss), rel=0.005)
    low, high = made.interval
    assert low < made.value < high
    ends = 1 - error_at(np.array(made.forecast.loss_interval))[::-1]  # without the link's own uncertainty
    assert high - low > 0.99 * (ends[1] - ends[0])


def test_the_interval_carries_the_spread_about_the_link():
    coefficients = {"eps": EPS, "k": K, "gamma": GAMMA}
    same = {name: np.full(50, value) for name, value in coefficients.items()}
    losses = np.full((1, 50_000), 2.5)
    drawn = metric.Link("error_rate", False, coefficients, 0.02, same).draws(losses)
    assert np.log(drawn).std() == pytest.approx(0.02, rel=0.02)
    assert np.log(drawn).mean() == pytest.approx(np.log(error_at(2.5)), abs=1e-3)
    wide = same | {"eps": EPS + 0.05 * np.random.default_rng(0).standard_normal(50)}
    drawn = metric.Link("error_rate", False, coefficients, 0.0, wide).draws(losses)
    assert drawn.std() == pytest.approx(wide["eps"].std(), rel=0.01)


def test_the_naive_guesses_of_a_score(runs):
    made = make(runs, fit(runs), {"flops": 1e22}, (), "accuracy")
    assert made.interval is None
    labels = runs["budget"]
    assert made.naive.best_loss == pytest.approx(runs["accuracy"][labels == 1e21].max())
    best = [np.log(1 - runs["accuracy"][labels == budget].max()) for budget in BUDGETS]
    slope, start = np.polyfit(np.log(BUDGETS), best, 1)
    assert made.naive.power_law == pytest.approx(1 - np.exp(start + slope * np.log(1e22)))


def test_scores_that_have_no_link(runs):
    with pytest.raises(ConfigError, match="a score beside it"):
        metric.link(runs, "loss", OPTIONS)
    with pytest.raises(DataError, match="no column 'acuracy'; did you mean accuracy"):
        metric.link(runs, "acuracy", OPTIONS)
    with pytest.raises(DataError, match="rises to 1000 as the loss falls"):
        metric.link(runs.with_columns(points=1000 * runs["loss"].min() / runs["loss"]), "points", OPTIONS)
    with pytest.raises(DataError, match="unlike losses"):
        metric.link(runs.with_columns(points=np.ones(len(runs))), "points", OPTIONS)


@pytest.mark.parametrize("dataset", ["c4_original", "rpj", "rw_original"])
def test_the_published_errors_of_the_larger_models_are_foretold(dataset):
    table = published("gadre/runs_full.csv")
    mapping = "n_params=N,tokens=D,loss=loss_c4_val"
    everything = load.load(table, mapping, f"dataset_name == '{dataset}'")
    fitted = everything.select(everything["flops"] < 2e20, "large")
    (large,) = np.flatnonzero(everything["n_params"] > 1e9)
    point = {name: float(everything[name][large]) for name in ("n_params", "tokens")}
    made = make(fitted, fit(fitted, bootstrap=100), point, (), "err_avg_subset", OPTIONS)
    seen = float(everything["err_avg_subset"][large])
    assert made.value == pytest.approx(seen, rel=0.04)
    assert made.interval[0] < seen < made.interval[1]
    assert abs(made.value - seen) < abs(made.naive.best_loss - seen)
