"""Resampling by run, trunk and stratum; coverage of the intervals in a small trial; seed noise by hand."""

import numpy as np
import pytest
from known import HOFFMANN, chinchilla_points, isoflop_runs

from analysis import uncertainty
from analysis.fit import fit
from analysis.load import runs_from
from scaling_laws.config import ConfigError


def test_weights_draw_as_many_units_as_there_are():
    weights = uncertainty.resample(np.arange(40), 500, seed=0)
    assert weights.sum(axis=1) == pytest.approx(40)
    assert weights.mean() == pytest.approx(1)
    assert weights.var() == pytest.approx(1 - 1 / 40, rel=0.05)


def test_runs_of_one_trunk_are_drawn_together():
    runs = isoflop_runs((1e18,), 4, points=6).with_columns(trunk=np.array(["a", "a", "", "b", "b", ""]))
    units = uncertainty.units(runs)
    assert len(np.unique(units)) == 4
    weights = uncertainty.resample(units, 200, seed=0)
    assert np.array_equal(weights[:, 0], weights[:, 1])
    assert np.array_equal(weights[:, 3], weights[:, 4])
    assert not np.array_equal(weights[:, 2], weights[:, 5])


def test_strata_keep_their_size():
    strata = np.array([0] * 5 + [1] * 7)
    weights = uncertainty.resample(np.arange(12), 50, seed=0, strata_N=strata)
    assert weights[:, :5].sum(axis=1) == pytest.approx(5)
    assert weights[:, 5:].sum(axis=1) == pytest.approx(7)


@pytest.mark.parametrize("interval", uncertainty.INTERVALS)
def test_intervals_cover_the_truth_about_as_often_as_they_say(interval):
    truth = HOFFMANN["beta"] / (HOFFMANN["alpha"] + HOFFMANN["beta"])
    hits, trials = 0, 40
    for seed in range(trials):
        runs = isoflop_runs((1e18, 1e19, 1e20, 1e21, 1e22), 10, points=10, noise=0.005, seed=seed)
        low, high = fit(runs, objective="log_mse", bootstrap=100, interval=interval).frontier.intervals["a"]
        hits += low <= truth <= high
    assert 30 <= hits <= 40  # 36 expected of 40 at 90 %; the bound is three standard deviations away


def test_standard_errors_on_the_published_points():
    errors = fit(chinchilla_points(), bootstrap=4000, seed=1).standard_errors
    published = {"A": (124.5, 0.05), "B": (1293, 0.15), "E": (0.02566, 0.05), "alpha": (0.01540, 0.05)}
    for name, (value, tolerance) in published.items() | {("beta", (0.02060, 0.05))}:
        assert errors[name] == pytest.approx(value, rel=tolerance), name  # B's tail is heavy: 6 % between seeds


def test_seed_noise_is_pooled_over_repeats():
    loss = np.exp([0.10, 0.12, 0.20, 0.26, 0.5])
    runs = runs_from(
        {
            "n_params": np.full(5, 1e5),
            "tokens": np.full(5, 1e7),
            "width": [8, 8, 16, 16, 32],
            "depth": np.full(5, 2),
            "learning_rate": np.full(5, 1e-3),
            "seed": [0, 1, 0, 1, 0],
            "loss": loss,
        }
    )
    noise = uncertainty.seed_noise(runs)
    assert noise["sd"] == pytest.approx(np.sqrt((0.02**2 / 2 + 0.06**2 / 2) / 2))
    assert (noise["groups"], noise["dof"]) == (2, 2)
    assert uncertainty.seed_noise(runs.select(runs["seed"] == 0, "other seed")) is None


@pytest.mark.parametrize("bad", [("bca", 10, 0.9), ("bootstrap", -1, 0.9), ("bootstrap", 10, 1.0)])
def test_bad_settings_are_refused(bad):
    with pytest.raises(ConfigError, match="allowed"):
        uncertainty.check(*bad)
