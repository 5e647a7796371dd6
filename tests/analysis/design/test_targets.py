"""Questions about a law: information against simulated fits, slopes of targets, the distance of a rival by SciPy."""

import functools

import numpy as np
import pytest
from scipy.optimize import least_squares

from analysis import laws
from analysis.design import Candidates, Errors, Limits, Target, propose, targets
from analysis.design.candidates import Extent, Shape, grid
from analysis.design.errors import efficiency, misfit_of, noise_at
from analysis.design.simulate import Truth
from analysis.fitting import fit
from analysis.frontier import SIX_N_D
from analysis.load import DataError, Runs
from scaling_laws.config import ConfigError

TRUTH = Truth(noise=0.001)
AT = {"flops": 1e14}


@functools.cache
def studied():
    """A first sweep, its fit, and candidates."""
    runs = TRUTH.first(np.random.default_rng(5))
    law = fit(runs, objective="log_mse", bootstrap=12)
    extent = Extent.of(runs["n_params"], runs["tokens"], 5e12)
    shapes = [Shape(n, 6 * n) for n in np.geomspace(*extent.sizes(runs["n_params"]), 7).round().tolist()]
    return runs, law, grid(shapes, extent, levels=7)


def at_truth(law, runs):
    """The fit with the true law in the place of its resamples."""
    known = {name: np.array([value]) for name, value in TRUTH.law.items() if name != "outer"}
    return type(law)(**(vars(law) | {"samples": known}))


@pytest.mark.parametrize("name", ["loss", "exponent"])
def test_the_standard_error_is_the_spread_of_fits_to_simulated_runs(name):
    runs, law, candidates = studied()
    counts = np.zeros(len(candidates), dtype=int)
    counts[:: len(candidates) // 12] = 2
    errors = Errors(np.full(len(candidates), TRUTH.noise))
    asked = targets.about_number(
        at_truth(law, runs),
        runs,
        candidates,
        errors,
        np.full(len(runs), TRUTH.noise),
        lambda points: targets.quantity(points, name, AT, SIX_N_D),
    )
    rng = np.random.default_rng(0)
    full = TRUTH.further(runs, candidates, counts, rng)
    exact = np.log(laws.value(laws.get("chinchilla"), dict(TRUTH.law), {k: full[k] for k in ("n_params", "tokens")}))
    base = fit(Runs(full.columns | {"loss": np.exp(exact)}), objective="log_mse")
    refits = base.refitted(
        Runs(full.columns | {"loss": np.exp(exact)}), exact + TRUTH.noise * rng.standard_normal((1500, len(full)))
    )
    points = targets.points_of(laws.get("chinchilla"), runs, candidates)
    theta = points.centre(laws.parameters_of(points.law, refits))
    values = targets.quantity(points, name, AT, SIX_N_D).scaled(theta)
    assert asked.at(counts).errors_R[0] == pytest.approx(np.std(values), rel=0.06)


def test_the_loss_at_n_and_d_is_the_laws():
    runs, law, candidates = studied()
    points = targets.points_of(laws.get("chinchilla"), runs, candidates)
    theta = points.centre(laws.parameters_of(points.law, law.coefficients))
    found = targets.quantity(points, "loss", {"n_params": 1e6, "tokens": 1e8}, SIX_N_D).of(theta)
    assert found == pytest.approx(law.predict(n_params=1e6, tokens=1e8))
    front = targets.quantity(points, "loss", AT, SIX_N_D).of(theta)
    assert front == pytest.approx(law.frontier.loss(1e14))


def test_the_distance_of_a_rival_is_what_its_best_fit_misses():
    runs, law, candidates = studied()
    rival = fit(runs, law="kaplan", objective="log_mse")
    counts = np.zeros(len(candidates), dtype=int)
    counts[[0, 5, len(candidates) - 1]] = [1, 2, 3]
    errors = Errors(np.full(len(candidates), TRUTH.noise))
    sd = np.full(len(runs), TRUTH.noise)
    asked = targets.about_laws(at_truth(law, runs), rival, runs, candidates, errors, sd, counts)
    n = np.concatenate([runs["n_params"], np.repeat(candidates.n_params_J, counts)])
    d = np.concatenate([runs["tokens"], np.repeat(candidates.tokens_J, counts)])
    c = TRUTH.law
    true = np.log(c["E"] + c["A"] / n ** c["alpha"] + c["B"] / d ** c["beta"])

    def residuals(theta):  # ln ((e^u / N^r) + e^v / D)^x, centred in N and D
        mean_n, mean_d = np.log(n).mean(), np.log(d).mean()
        u, v, ratio, outer = theta
        terms = np.logaddexp(u - ratio * (np.log(n) - mean_n), v - (np.log(d) - mean_d))
        return (outer * terms - true) / TRUTH.noise

    best = min(
        (least_squares(residuals, [u, v, r, o], xtol=1e-14, ftol=1e-14) for u in (0, 5) for v in (0, 5)
         for r in (0.5, 1) for o in (0.1, 0.3)),
        key=lambda end: end.cost,
    )  # fmt: skip
    assert 1 / asked.at(counts).errors_R[0] == pytest.approx(np.sqrt(2 * best.cost), rel=1e-3)


def test_a_choice_moves_the_rival_further_off_than_the_even_grid():
    runs, law, candidates = studied()
    rival = fit(runs, law="kaplan", objective="log_mse")
    found = propose(runs, law, candidates, Target("choice", rival=rival), Limits(5e13, 40, 4))
    assert found.after.distance > found.even.distance > found.before.distance
    assert found.ratio < 0.9
    assert 0.98 < found.after.flops / found.limits.budget <= 1


def test_what_the_design_expects_of_a_number_beats_the_even_grid():
    runs, law, candidates = studied()
    for target in (Target("loss", AT), Target("exponent")):
        found = propose(runs, law, candidates, target, Limits(5e13, 60, 8))
        again = propose(runs, law, candidates, target, Limits(5e13, 60, 8))
        assert found.after.half_width < 0.8 * found.even.half_width < 0.8 * found.before.half_width
        assert (found.counts_J == again.counts_J).all()
        assert found.path[-1][0] == pytest.approx(found.after.flops)
        assert found.path[-1][1] == pytest.approx(found.after.half_width)
        assert sum(row["flops"] for row in found.rows()) == pytest.approx(found.after.flops)


def test_trunks_buy_more_for_the_same_flops():
    runs, law, candidates = studied()
    alone = propose(runs, law, candidates, Target("exponent"), Limits(5e13, 60, 4))
    shared = propose(runs, law, candidates, Target("exponent"), Limits(5e13, 60, 4), cooldown=0.2)
    assert shared.after.half_width < alone.after.half_width


def test_huber_loses_what_its_textbook_efficiency_says():
    # Huber's corner at 1.345 standard deviations keeps 95 %, absolute deviations 2 / pi (Huber 1964)
    assert efficiency("huber", 1.345, 1.0) == pytest.approx(0.95, abs=2e-4)
    assert efficiency("huber", 1e-9, 1.0) == efficiency("lad", 1.0, 1.0) == pytest.approx(2 / np.pi)
    assert efficiency("log_mse", 1e-3, 1.0) == 1


def test_noise_and_misfit_are_read_off_repeated_seeds():
    rng = np.random.default_rng(3)
    first = TRUTH.first(rng)
    n, d = np.repeat(first["n_params"], 8), np.repeat(first["tokens"], 8)
    runs = TRUTH.runs(n, d, rng)
    shared = np.repeat(0.003 * rng.standard_normal(len(first)), 8)
    width, seed = np.repeat(np.arange(len(first)) + 1, 8), np.tile(np.arange(8), len(first))
    runs = runs.with_columns(
        loss=runs["loss"] * np.exp(shared), width=width, depth=width, seed=seed, learning_rate=np.ones(len(n))
    )
    law = fit(runs, objective="log_mse")
    assert noise_at(runs, law, np.array([1e3, 1e5, 1e9])) == pytest.approx(np.full(3, TRUTH.noise), rel=0.35)
    assert misfit_of(runs, law) == pytest.approx(0.003, rel=0.5)
    assert misfit_of(first, fit(first)) == 0


def test_what_cannot_be_asked_is_said():
    runs, law, candidates = studied()
    with pytest.raises(ConfigError, match="allowed for a design: chinchilla, kaplan, gadre"):
        targets.surface_of("power")
    with pytest.raises(ConfigError, match="at: missing"):
        Target("loss")
    with pytest.raises(ConfigError, match="allowed: loss, exponent, choice"):
        Target("beta")
    with pytest.raises(ConfigError, match="allowed: both or neither"):
        Target("choice")
    with pytest.raises(ConfigError, match="allowed: flops="):
        propose(runs, law, candidates, Target("loss", {"tokens": 3.0}), Limits(1e13))
    nothing = type(law)(**(vars(law) | {"samples": {name: np.full(3, np.nan) for name in law.coefficients}}))
    with pytest.raises(DataError, match="no resample has finite coefficients"):
        propose(runs, nothing, candidates, Target("exponent"), Limits(1e13))


def test_a_table_of_candidates_that_is_empty_of_room_gives_no_runs():
    runs, law, candidates = studied()
    few = Candidates(candidates.shapes, candidates.shape_J, candidates.tokens_J)
    assert propose(runs, law, few, Target("exponent"), Limits(1.0)).after.runs == 0
