"""Fits of published tables against the published figures, and what other optimisers are known to make of them."""

import csv

import numpy as np
import pytest
from known import chinchilla_points, published
from scipy import optimize

from analysis import laws, solver
from analysis.fit import fit
from analysis.load import load

CONSTRAINED = {"alpha": 0.3526596, "beta": 0.3526596, "R_D": 15.387756, "R_N": 5.309743} | {
    "E": np.exp(0.6254804), "A": np.exp(6.255414), "B": np.exp(7.3049974),
}  # fmt: skip


def test_the_chinchilla_points():
    runs = chinchilla_points()
    found = fit(runs)
    assert len(runs) == 240
    assert found.objective["value"] <= 0.00101827403
    for name, value in {"alpha": 0.3473, "beta": 0.3672, "E": 1.8172}.items():
        assert found.coefficients[name] == pytest.approx(value, abs=5e-4), name
    assert found.frontier.a == pytest.approx(0.5139, abs=5e-4)
    sure = found.certificate
    assert sure["agreeing_fraction"] > 0.9
    assert sure["gap_to_second"] is None or sure["gap_to_second"] > 0
    assert sure["gradient_norm"] < 1e-9


def test_squared_error_on_the_chinchilla_points():
    found = fit(chinchilla_points(), objective="mse")
    assert found.objective["value"] == pytest.approx(0.0832038077, rel=1e-8)
    for name, value in {"E": 1.8828136, "alpha": 0.3576151, "beta": 0.4276206}.items():
        assert found.coefficients[name] == pytest.approx(value, rel=1e-6), name


def test_least_absolute_deviations_are_what_the_published_fit_was_in_effect():
    found = fit(chinchilla_points(), objective="lad")
    for name, value in {"E": 1.81686, "alpha": 0.3478, "beta": 0.3658}.items():
        assert found.coefficients[name] == pytest.approx(value, abs=5e-4), name


def test_a_mean_loosely_stopped_gives_the_known_wrong_answer_and_ours_does_not():
    """Besiroglu et al. 2024: averaging the objective makes it so small that L-BFGS-B stops where it likes."""
    runs = chinchilla_points()
    log_n, log_d, y = np.log(runs["n_params"]), np.log(runs["tokens"]), np.log(runs["loss"])

    def total(theta):
        a, b, e, alpha, beta = theta
        z = np.stack([a - alpha * log_n, b - beta * log_d, np.full(240, e)])
        residual = np.abs(np.logaddexp.reduce(z) - y)
        return np.where(residual <= 1e-3, 0.5 * residual**2, 1e-3 * (residual - 0.5e-3)).sum()

    start = [5.0, 5.0, 0.5, 0.5, 0.5]
    loose = optimize.minimize(lambda theta: total(theta) / 240, start, method="L-BFGS-B")
    assert loose.success  # it says
    ours = fit(runs)
    assert total(loose.x) > 1.05 * ours.objective["value"]
    assert abs(loose.x[4] / (loose.x[3] + loose.x[4]) - ours.frontier.a) > 0.02
    c = ours.coefficients
    theta = [np.log(c["A"]), np.log(c["B"]), np.log(c["E"]), c["alpha"], c["beta"]]
    assert total(theta) == pytest.approx(ours.objective["value"], rel=1e-9)


def repeated_data():
    columns = "n_params=N,tokens=D,unique_tokens=U_unique_tokens"
    return load(published("datablations/parametric_fit_points.csv"), columns)


def test_the_data_constrained_law_is_the_published_function():
    law = laws.get("data_constrained")
    point = {"n_params": [6.34e9], "tokens": [242e9], "unique_tokens": [25e9]}
    assert laws.value(law, CONSTRAINED, point)[0] == pytest.approx(2.2256440889984477, rel=1e-14)


def test_the_two_constants_of_repetition_refitted_on_all_rows():
    runs, law = repeated_data(), laws.get("data_constrained")
    points = laws.design(law, {name: runs[name] for name in law.inputs})
    task = solver.problem(points, np.log(runs["loss"]), solver.Objective("huber", 1e-3))
    there = task.evaluate(points.centre(laws.parameters_of(law, CONSTRAINED))[None])[0][0]
    assert there == pytest.approx(0.0358405, abs=5e-8)
    fixed = {name: CONSTRAINED[name] for name in ("E", "A", "B", "alpha", "beta")}
    found = fit(runs, law="data_constrained", fixed=fixed)
    assert found.objective["value"] < 0.02924
    assert found.certificate["agreeing_fraction"] == 1.0
    assert set(found.unidentified) == {"ln_R_D", "ln_R_N"}  # repeats as good as fresh, excess parameters worthless
    grid = np.geomspace(1e-6, 1e6, 25)
    around = [CONSTRAINED | {"R_D": d, "R_N": n} for d in grid for n in grid]
    thetas = points.centre(np.array([laws.parameters_of(law, c) for c in around]))
    assert task.evaluate(thetas)[0].min() >= found.objective["value"] * (1 - 1e-6)


def test_the_broken_power_law_extrapolates_as_published():
    runs = load(published("bnsl/four_digit_addition.csv"), "loss=y", needs=("x", "loss"))
    seen, unseen = (runs.select(runs["split"] == name, "other") for name in ("train", "test"))
    found = fit(seen, law="broken_power(x,1)", objective="log1p_mse")
    error = np.log(found.predict(x=unseen["x"]) / unseen["loss"])
    assert len(unseen) == 3
    assert np.sqrt((error**2).mean()) <= 0.0109158
    assert found.certificate["agreeing_fraction"] * found.certificate["starts"] >= 3


def language_curves():
    """(domain, x, y, training) of the 20 curves, one row for each x."""
    with published("revisiting_nsl/language.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    curves = {}
    for row in rows:
        points = curves.setdefault((row["Domain"], row["Task"], row["Model"]), {})
        points[float(row["Seen Examples"])] = (float(row["Loss"]), row["Training"] == "1")
    for (domain, _, _), points in curves.items():
        x = np.array(sorted(points))
        yield domain, x, np.array([points[k][0] for k in x]), np.array([points[k][1] for k in x])


def scores(form, weights="none"):
    """Domain -> mean over its curves of the root mean square of ln(predicted / observed) beyond the training range."""
    from analysis.load import Runs

    found = {}
    for domain, x, y, training in language_curves():
        law = fit(Runs({"x": x[training], "loss": y[training]}), f"{form}(x)", objective="log_mse", weights=weights)
        error = np.log(law.predict(x=x[~training]) / y[~training])
        found.setdefault(domain, []).append(float(np.sqrt((error**2).mean())))
    assert sum(map(len, found.values())) == 20
    return {domain: float(np.mean(values)) for domain, values in found.items()}


def test_form_m1_scores_as_the_reference():
    assert scores("m1") == pytest.approx({"NMT": 0.2217, "LM": 0.01397, "BB": 0.0148}, rel=2e-3)


def test_form_m2_scores_no_worse_than_the_reference_when_the_far_end_counts_more():
    found = scores("m2", "x^0.5")
    for domain, reference in {"NMT": 0.0341, "LM": 0.00101, "BB": 0.0142}.items():
        assert found[domain] <= reference, domain


def test_form_m3_scores():
    found = scores("m3", "x^0.5")
    assert found["NMT"] <= 0.0471
    assert found["LM"] < 0.0027  # reference .00227, by a search that stops at a higher objective
    assert found["BB"] < 0.0100  # reference .0087, likewise


@pytest.mark.slow
def test_form_m4_scores():
    found = scores("m4", "x^0.5")
    assert found["NMT"] <= 0.0208
    assert found["BB"] <= 0.0115
    assert found["LM"] < 0.0009  # reference .00063
