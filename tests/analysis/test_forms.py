"""Weights and mixtures against closed forms; coverage of forecasts at ten times the compute, form by form."""

import math
from statistics import NormalDist

import numpy as np
import pytest
import truths
from known import isoflop_runs

from analysis import compare, forecasting, forms, laws
from analysis.fit import fit
from analysis.forecasts.made import make
from analysis.load import DataError, runs_from
from analysis.options import Options
from scaling_laws.config import ConfigError

BUDGETS = tuple(np.geomspace(1e18, 1e20, 5))
NOISE, BEYOND = 0.005, 1e21
OPTIONS = Options(bootstrap=100)


def runs_of(truth, seed):
    """Five budgets over two decades with nine sizes each on the law `truth`, half a percent of noise."""
    runs = isoflop_runs(BUDGETS, 6, points=9, center=0.5)
    noise = np.exp(NOISE * np.random.default_rng(seed).standard_normal(len(runs)))
    return runs.with_columns(loss=truths.value(truth, truths.COEFFICIENTS[truth], columns(runs)) * noise)


def columns(runs):
    """What `truths.value` reads."""
    rest = dict.fromkeys(("density", "unique_tokens", "weight_bits", "experts", "finetune_tokens"), 1.0)
    return {name: runs[name] for name in ("n_params", "tokens", "flops")} | rest


def forecast(truth, seed, names):
    """Chinchilla's forecast at ten times the C, pooled over `names`, and the loss of the truth there."""
    runs = runs_of(truth, seed)
    options = Options(bootstrap=100, seed=seed)
    made = make(runs, fit(runs, bootstrap=100, seed=seed), {"flops": BEYOND}, names, options=options).forecast
    point = {"n_params": np.array([made.n_params]), "tokens": np.array([made.tokens])}
    there = runs_from({**point, "loss": np.ones(1)})
    return made, float(truths.value(truth, truths.COEFFICIENTS[truth], columns(there))[0])


def holds(truth, seed, names):
    """Whether the 90 % interval of such a forecast holds a new run."""
    made, loss = forecast(truth, seed, names)
    new = loss * math.exp(NOISE * np.random.default_rng(10**6 + seed).standard_normal())
    return made.loss_interval[0] <= new <= made.loss_interval[1]


def miss(truth, seed, names):
    """The relative error of such a forecast."""
    made, loss = forecast(truth, seed, names)
    return abs(math.log(made.loss / loss))


def test_one_run_weighs_forms_by_their_density():
    density = np.log([[0.2], [0.5], [0.1]])
    assert forms.weights_of(density) == pytest.approx([0.25, 0.625, 0.125])


def test_two_runs_average_over_the_bayesian_bootstrap():
    first, second = 1.3, -0.4  # ln density of the first form over that of the second, run by run
    found = forms.weights_of(np.array([[first, second], [0.0, 0.0]]))
    # the share of the first run is uniform on 0 to 1: the mean of a logistic function along a line
    exact = (math.log1p(math.exp(2 * first)) - math.log1p(math.exp(2 * second))) / (2 * (first - second))
    assert found[0] == pytest.approx(exact, abs=0.02)
    assert found.sum() == pytest.approx(1)


def test_forms_alike_share_and_a_form_far_off_has_nothing():
    density = np.random.default_rng(0).normal(size=12)
    found = forms.weights_of(np.stack([density, density, density - 30]))
    assert found == pytest.approx([0.5, 0.5, 0])


def test_the_interval_of_a_mixture():
    normal, rng = NormalDist(), np.random.default_rng(0)
    draws = np.stack([rng.standard_normal(200_000), 3 + rng.standard_normal(200_000)])
    low, high = forms.interval(draws, np.array([0.75, 0.25]), 0.9)
    for end, share in ((low, 0.05), (high, 0.95)):
        assert 0.75 * normal.cdf(end) + 0.25 * normal.cdf(end - 3) == pytest.approx(share, abs=0.002)
    middle = forms.median(draws, np.array([0.75, 0.25]))
    assert 0.75 * normal.cdf(middle) + 0.25 * normal.cdf(middle - 3) == pytest.approx(0.5, abs=0.002)
    draws[:, ::2] = np.nan
    assert forms.interval(draws, np.array([0.75, 0.25]), 0.9) == pytest.approx((low, high), abs=0.03)
    with pytest.raises(DataError, match="no redraw"):
        forms.interval(np.full((2, 3), np.nan), np.array([1.0, 0.0]), 0.9)


def test_the_form_behind_the_runs_has_the_weight():
    runs = runs_of("kaplan", 0)
    found = forms.weigh(runs, fit(runs, bootstrap=50), ("kaplan", "gadre"), OPTIONS)
    assert [form.fit.law for form in found.members] == ["chinchilla", "kaplan", "gadre"]
    assert found.weights_K[1] > 0.9
    errors = [form.error for form in found.members]
    assert errors[1] == min(errors)
    fitted, unseen = runs.select(runs["flops"] < 2e19, "large"), runs.select(runs["flops"] > 2e19, "small")
    assert found.held_out == len(unseen) == 18
    score = forecasting.score(fit(fitted, law="kaplan"), unseen)
    assert errors[1] == pytest.approx(score["rms_log_error"])


def test_without_forms_the_interval_is_that_of_the_law_alone():
    runs = runs_of("chinchilla", 0)
    law = fit(runs, bootstrap=50)
    alone = make(runs, law, {"flops": BEYOND}, ())
    assert alone.forecast == forecasting.predict(law, flops=BEYOND)
    pooled = make(runs, law, {"flops": BEYOND}, ("kaplan",), options=OPTIONS)
    assert pooled.law_loss == alone.forecast.loss
    drawn = pooled.forms.losses({name: getattr(pooled.forecast, name) for name in forms.POINT}, OPTIONS.seed)
    assert pooled.forecast.loss == forms.median(drawn, pooled.forms.weights_K)
    assert pooled.forecast.loss_interval != alone.forecast.loss_interval


def test_a_form_that_foretells_better_draws_the_forecast_to_the_truth():
    alone, pooled = (np.median([miss("kaplan", seed, names) for seed in range(4)]) for names in ((), ("kaplan",)))
    assert pooled < 0.5 * alone
    alone, pooled = (np.median([miss("chinchilla", seed, names) for seed in range(4)]) for names in ((), ("kaplan",)))
    assert pooled < 1.5 * alone


def test_the_default_forms_read_what_the_law_reads():
    runs = runs_of("chinchilla", 0)
    assert forms.default_names(runs, fit(runs)) == ("chinchilla", "kaplan", "gadre")
    assert forms.default_names(runs, fit(runs, law="power_floor")) == ("power_floor", "power")
    assert {*forms.default_names(runs, fit(runs))} <= {*compare.ALWAYS}


def test_forms_that_cannot_be():
    runs = runs_of("chinchilla", 0)
    law = fit(runs, bootstrap=20)
    with pytest.raises(ConfigError, match="law of error"):
        forms.weigh(runs, law, ("error",), OPTIONS)
    with pytest.raises(ConfigError, match="reads width"):
        forms.weigh(runs, law, ("power_sum(width,tokens)",), OPTIONS)
    found = forms.weigh(runs, law, ("data_constrained",), OPTIONS)
    assert "unique_tokens" in found.absent["data_constrained"]
    assert [form.weight for form in found.members] == [1.0]


def test_a_law_that_no_smaller_budgets_carry_stays_alone():
    runs = isoflop_runs((1e18, 1e20), 6, points=8, noise=0.003)
    law = fit(runs, bootstrap=20)
    found = forms.weigh(runs, law, ("kaplan",), OPTIONS)
    assert found.members == (forms.Form(law),)
    assert "nothing to weigh it by" in found.absent["kaplan"]


def test_a_forecast_holds_the_inputs_that_the_runs_had():
    runs = runs_of("chinchilla", 0)
    unique = runs["tokens"] / np.tile(np.geomspace(1, 8, 9)[::-1], 5)
    repeated = runs.with_columns(unique_tokens=unique)
    law = fit(repeated, law="data_constrained", fixed={"alpha": 0.34, "beta": 0.28})
    made = forecasting.predict(law, flops=BEYOND)
    held = float(np.median(unique))
    assert made.loss == pytest.approx(float(law.predict(made.n_params, made.tokens, unique_tokens=held)))


def test_under_another_form_the_pooled_interval_holds_what_the_law_alone_misses():
    assert [holds("kaplan", seed, ()) for seed in range(2)] == [False] * 2
    assert [holds("kaplan", seed, ("kaplan",)) for seed in range(2)] == [True] * 2


@pytest.mark.slow
@pytest.mark.parametrize("truth", ["chinchilla", "kaplan", "gadre"])
def test_intervals_of_90_percent_hold_a_run_at_ten_times_the_compute(truth):
    assert laws.get(truth).surface is not None
    share = np.mean([holds(truth, seed, None) for seed in range(100)])
    alone = np.mean([holds(truth, seed, ()) for seed in range(100)])
    print(f"{truth}: {share:.0%} with forms, {alone:.0%} without")
    assert 0.82 <= share <= 0.99
    assert alone < 0.1 if truth == "kaplan" else alone >= 0.8
