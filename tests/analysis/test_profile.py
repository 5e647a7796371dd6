"""Profiles against a constrained optimiser and closed forms; open ends; the floor that the data do not show."""

import dataclasses

import numpy as np
import pytest
import truths
from known import HOFFMANN, isoflop_runs
from posing import posed, quantities
from scipy import optimize, stats

from analysis import laws, uncertainty
from analysis.fit import fit
from analysis.load import runs_from
from analysis.uncertainty.tied import tied

BUDGETS = (1e18, 1e19, 1e20, 1e21, 1e22)


def noisy(points=8, seed=0, noise=0.005):
    return isoflop_runs(BUDGETS, 10, points=points, noise=noise, seed=seed)


def chinchilla(c, runs):
    return c[0] + c[1] * runs["n_params"] ** -c[3] + c[2] * runs["tokens"] ** -c[4]


def constrained(runs, name, value):
    """Least squares of ln loss with one coefficient held, by SciPy's Levenberg-Marquardt in centred coordinates."""
    names = list(HOFFMANN)
    k = names.index(name)
    n, d = np.log(runs["n_params"]), np.log(runs["tokens"])

    def residual(free):
        c = np.insert(free, k, value)
        if name != "A":
            c[1] = np.exp(c[1] + c[3] * n.mean())
        if name != "B":
            c[2] = np.exp(c[2] + c[4] * d.mean())
        return np.log(chinchilla(c, runs)) - np.log(runs["loss"])

    c = np.array(list(HOFFMANN.values()))
    start = [c[0], np.log(c[1]) - c[3] * n.mean(), np.log(c[2]) - c[4] * d.mean(), c[3], c[4]]
    found = optimize.least_squares(residual, np.delete(start, k), method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15)
    return 2 * found.cost


@pytest.mark.parametrize(("name", "value"), [("alpha", 0.35), ("beta", 0.27), ("E", 1.6), ("A", 500.0), ("B", 350.0)])
def test_rises_are_those_of_a_constrained_optimiser(name, value):
    runs = noisy()
    at = posed(runs)
    lowest = at.objective_at(at.theta[None])[0]
    (rise,) = uncertainty.rise_at(at, quantities(at)[name], np.array([value]))
    expected = (constrained(runs, name, value) - lowest) / (lowest / (len(runs) - 5))
    assert rise == pytest.approx(expected, rel=1e-5)


def test_the_interval_ends_where_the_f_statistic_says():
    runs = noisy()
    at = posed(runs)
    for name, q in quantities(at).items():
        ends = uncertainty.profile(at, q, 0.95).interval
        rises = uncertainty.rise_at(at, q, np.array(ends))
        assert rises == pytest.approx(stats.f.ppf(0.95, 1, len(runs) - 5), rel=2e-3), name


def test_a_straight_line_has_the_textbook_interval():
    runs = noisy()
    line = stats.linregress(np.log(runs["flops"]), np.log(runs["loss"]))
    reach = stats.t.ppf(0.95, len(runs) - 2) * line.stderr
    found = fit(runs, law="power", objective="log_mse", interval="profile", level=0.9)
    assert found.intervals["gamma"] == pytest.approx((-line.slope - reach, -line.slope + reach), rel=1e-4)
    assert found.samples == {}
    assert found.interval == "profile"


def test_the_profile_of_the_frontiers_exponent_holds_alpha_over_beta():
    runs = noisy()
    found = fit(runs, objective="log_mse", interval="profile", level=0.95)
    low, high = found.frontier.intervals["a"]
    n, d = np.log(runs["n_params"]), np.log(runs["tokens"])

    def rss(a):
        def residual(free):
            e, log_a, log_b, beta = free
            alpha = beta * (1 - a) / a
            parts = np.exp(log_a - alpha * (n - n.mean())) + np.exp(log_b - beta * (d - d.mean()))
            return np.log(e + parts) - np.log(runs["loss"])

        return 2 * optimize.least_squares(residual, [1.69, -0.5, -0.5, 0.28], method="lm", xtol=1e-15).cost

    lowest = found.objective["value"]
    for end in (low, high):
        f = (rss(end) - lowest) / (lowest / (len(runs) - 5))
        assert f == pytest.approx(stats.f.ppf(0.95, 1, len(runs) - 5), rel=2e-3)
    assert found.frontier.intervals["b"] == pytest.approx((1 - high, 1 - low))


def test_hubers_ratio_with_wide_corners_is_that_of_least_squares():
    runs = noisy()
    squares = fit(runs, objective="log_mse", interval="profile").intervals
    huber = fit(runs, objective="huber", delta=1.0, interval="profile").intervals
    for name, pair in squares.items():
        assert huber[name] == pytest.approx(pair, rel=1e-3), name


def test_absolute_deviations_need_as_much_more_room_as_theory_says():
    # The variance of a median is pi / 2 of that of a mean.
    widths = []
    for seed in range(8):
        runs = noisy(points=15, seed=seed)
        found = [posed(runs, objective=name) for name in ("lad", "log_mse")]
        pair = [uncertainty.profile(at, quantities(at)["beta"], 0.9).interval for at in found]
        widths.append(np.ptp(pair[0]) / np.ptp(pair[1]))
    assert np.mean(widths) == pytest.approx(np.sqrt(np.pi / 2), rel=0.15)


def test_weights_that_are_all_alike_change_little_and_whole_ones_repeat():
    runs = noisy()
    plain = fit(runs, objective="log_mse", interval="profile").intervals["alpha"]
    at = posed(runs, weights=np.full(len(runs), 3.0))
    low, high = uncertainty.profile(at, quantities(at)["alpha"], 0.9).interval
    assert (low, high) == pytest.approx(plain, rel=0.02)


@pytest.mark.parametrize("law_name", ["kaplan", "sparsity", "m3", "m4", "gadre", "precision"])
def test_every_published_name_has_a_profile(law_name):
    x = truths.inputs(60)
    loss = truths.value(law_name, truths.COEFFICIENTS[law_name], x)
    loss = loss * np.exp(0.001 * np.random.default_rng(0).standard_normal(60))
    at = posed(dict(x) | {"loss": loss}, law_name)
    direct = uncertainty.intervals("delta", at, quantities(at), None, 0.9)
    for name, q in quantities(at).items():
        low, high = uncertainty.profile(at, q, 0.9).interval
        value = float(q.of(at.theta))
        assert low <= value <= high, name
        if np.isfinite([low, high]).all() and low != 0:
            assert np.ptp(q.to_scale(np.array([low, high]))) < 30 * np.ptp(q.to_scale(np.array(direct[name]))), name


def test_derivatives_on_the_surface_where_a_quantity_is_held():
    x = truths.inputs(30)
    runs = dict(x) | {"loss": truths.value("kaplan", truths.COEFFICIENTS["kaplan"], x) * 1.01 ** np.arange(30)}
    at = posed(runs, "kaplan")
    task = tied(at.task, at.theta, (quantities(at)["alpha_N"],))
    phi = task.contract(at.theta[None] * 1.01)
    assert quantities(at)["alpha_N"].scaled(task.expand(phi))[0] == pytest.approx(phi[0, task.pivots[0]], abs=1e-10)
    _, gradient, hessian = task.evaluate(phi)
    for k in set(range(len(at.theta))) - set(task.pivots):
        step = 1e-5 * np.eye(len(at.theta))[k]
        plus, minus = task.evaluate(phi + step), task.evaluate(phi - step)
        assert (plus[0] - minus[0]) / 2e-5 == pytest.approx(gradient[:, k], rel=1e-5, abs=1e-7)
        np.testing.assert_allclose((plus[1] - minus[1])[0] / 2e-5, hessian[0, k], rtol=1e-3, atol=1e-4)


def flat_runs(floor, noise=0.01, points=30):
    c = np.geomspace(1e15, 1e18, points)
    n = np.sqrt(c / 6)
    loss = (floor + 50 * c**-0.08) * np.exp(noise * np.random.default_rng(1).standard_normal(points))
    return runs_from({"n_params": n, "tokens": c / (6 * n), "flops": c, "loss": loss})


def test_a_floor_that_the_data_do_not_show_is_unidentified_without_any_interval():
    found = fit(flat_runs(0.3), law="power_floor", objective="log_mse")
    bare = fit(flat_runs(0.3), law="power", objective="log_mse")
    rise = (bare.objective["value"] - found.objective["value"]) / (found.objective["value"] / (30 - 3))
    said = found.certificate["floor_profile"]
    assert (said["name"], said["rise"]) == ("E", pytest.approx(rise, rel=1e-6))
    assert said["p_value"] == pytest.approx(stats.f.sf(rise, 1, 27), rel=1e-6)
    assert said["p_value"] > 0.1
    assert found.coefficients["E"] > 0.01  # not at its bound
    assert found.unidentified == ("E",)
    low, high = fit(flat_runs(0.3), law="power_floor", objective="log_mse", interval="profile").intervals["E"]
    assert low == 0
    assert found.coefficients["E"] < high < 2.5


def test_a_floor_that_the_data_show_is_identified():
    found = fit(flat_runs(1.5, noise=0.001), law="power_floor", objective="log_mse", interval="profile")
    assert found.certificate["floor_profile"]["p_value"] < 1e-6
    assert found.unidentified == ()
    assert 0.5 < found.intervals["E"][0] < 1.5 < found.intervals["E"][1]
    assert "floor_profile" not in fit(flat_runs(1.5), law="power").certificate


def test_a_profile_that_never_crosses_is_open():
    # Where repetition was hardly tried, any worth of a repeated token explains the data.
    c = truths.COEFFICIENTS["data_constrained"]
    rng = np.random.default_rng(0)
    n, d = 10 ** rng.uniform(7, 10, 80), 10 ** rng.uniform(8, 11, 80)
    x = {"n_params": n, "tokens": d, "unique_tokens": d / np.where(rng.random(80) < 0.1, 1.05, 1.0)}
    loss = truths.data_constrained(c, n, d, x["unique_tokens"]) * np.exp(0.005 * rng.standard_normal(80))
    at = posed(x | {"loss": loss}, "data_constrained")
    low, high = uncertainty.profile(at, quantities(at)["R_D"], 0.9).interval
    assert low == 0 or high == np.inf


def test_a_fixed_coefficient_is_its_own_interval():
    found = fit(noisy(), objective="log_mse", interval="profile", fixed={"alpha": 0.34, "E": 1.69})
    assert found.intervals["alpha"] == pytest.approx((0.34, 0.34))
    assert np.ptp(found.intervals["beta"]) > 1e-3
    assert "floor_profile" not in found.certificate


def test_noiseless_runs_give_a_point():
    found = fit(noisy(noise=0.0), interval="profile")
    for name, value in HOFFMANN.items():
        assert found.intervals[name] == pytest.approx((value, value), rel=1e-4), name


def test_quantities_have_the_laws_values_and_derivatives():
    at = posed(noisy())
    law = at.task.points.law
    named = laws.natural(law, at.task.points.uncentre(at.theta))
    for name, q in quantities(at).items():
        assert q.of(at.theta) == pytest.approx(named[name])
        assert dataclasses.replace(q, log=False).scaled(at.theta) == pytest.approx(named[name])
    shift = np.log(noisy()["n_params"]).mean()
    expected = [0, 1, 0, shift, 0]  # ln A = ln A (centred) + alpha mean(ln N)
    assert quantities(at)["A"].gradient(at.theta[None])[0] == pytest.approx(expected, abs=1e-6)
