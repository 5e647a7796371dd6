"""The hyperbola of steps and examples: planted ones come back, and what cannot be said is not said."""

import math

import numpy as np
import pytest
from scipy.optimize import least_squares

from analysis.critical_batch import Trial, hyperbola, targets, tradeoff, trials_of, tune
from analysis.load import DataError

BATCHES = (2, 4, 8, 16, 32, 64)
S_MIN, B_CRIT = 120.0, 11.0  # at a loss of 3


def planted(seed=0, noise=0.0, rates=(0.5, 1.0, 2.0), seeds=(0,), batches=BATCHES, best=1.0):
    """Curves ln L = ln 3 - .5 ln(step / S(B)), each rate off the best one slower by (1 + ln(rate / best)^2)."""
    rng, trials = np.random.default_rng(seed), []
    for batch in batches:
        for rate in rates:
            for own in seeds:
                steps = S_MIN * (1 + B_CRIT / batch) * (1 + math.log(rate / best) ** 2) * math.exp(noise * rng.normal())
                at = np.geomspace(steps / 30, 3 * steps, 300)
                trials.append(Trial(batch, rate, own, at, 3 * (at / steps) ** -0.5, f"{batch}-{rate}-{own}"))
    return trials


def test_a_planted_hyperbola_comes_back():
    found = tradeoff(planted(), 3.0, resamples=50)
    assert found.s_min == pytest.approx(S_MIN, rel=1e-3)
    assert found.b_crit == pytest.approx(B_CRIT, rel=1e-3)
    assert found.e_min == pytest.approx(S_MIN * B_CRIT, rel=1e-3)
    assert not found.left_out
    for one in found.tuned:
        assert one.learning_rate == 1.0
        steps, examples = one.steps[0], one.batch_size * one.steps[0]
        assert (steps / found.s_min - 1) * (examples / found.e_min - 1) == pytest.approx(1, rel=1e-2)
    assert found.steps(B_CRIT) == pytest.approx(2 * S_MIN, rel=1e-3)


def test_at_another_loss_steps_scale_and_the_critical_batch_stays():
    found = tradeoff(planted(), 2.5, resamples=10)  # ln L falls by half of ln step: (3 / 2.5)^2 as many steps
    assert found.s_min == pytest.approx(S_MIN * 1.2**2, rel=1e-3)
    assert found.b_crit == pytest.approx(B_CRIT, rel=1e-3)


def test_least_squares_as_scipy_finds_them():
    rng = np.random.default_rng(3)
    batch = np.repeat(BATCHES, 3).astype(float)
    log_s = np.log(S_MIN * (1 + B_CRIT / batch)) + 0.1 * rng.normal(size=len(batch))
    weights = np.array([np.ones(len(batch)), rng.integers(0, 3, len(batch))], float)

    def residuals(theta, w):
        return np.sqrt(w) * (theta[0] + np.log1p(np.exp(theta[1]) / batch) - log_s)

    for found, w in zip(hyperbola(batch, log_s, weights), weights, strict=True):
        want = least_squares(residuals, [5.0, 2.0], args=(w,), xtol=1e-12).x
        assert np.log(found) == pytest.approx(want, abs=2e-4)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    inside = []
    for seed in range(60):
        low, high = tradeoff(planted(seed, noise=0.08, seeds=(0, 1, 2)), 3.0, resamples=200).intervals["b_crit"]
        inside.append(low < B_CRIT < high)
    assert 0.75 < np.mean(inside) < 0.99  # of 18 runs with the best of three rates each


def test_an_edge_is_left_out_and_says_which_rate_comes_next():
    slow = [trial for trial in planted() if not (trial.batch_size == 8 and trial.learning_rate == 2.0)]
    found = tune([t for t in slow if t.batch_size == 8 and t.learning_rate >= 0.5], 8, 3.0)
    assert found.edge == 2.0  # of .5 and 1 the upper is best
    low = tune(planted(best=0.5), 8, 3.0)
    assert (low.learning_rate, low.edge) == (0.5, 0.25)
    left = tradeoff(slow, 3.0, resamples=10)
    assert list(left.left_out) == [8]
    assert "edge" in left.left_out[8]
    assert left.b_crit == pytest.approx(B_CRIT, rel=1e-3)


def test_what_is_never_reached_is_left_out():
    short = planted()
    cut = [Trial(t.batch_size, t.learning_rate, t.seed, t.steps_K[:100], t.losses_K[:100]) for t in short[:3]]
    found = tradeoff([*cut, *short[3:]], 3.0, resamples=10)
    assert found.left_out == {2: "the target is not reached"}
    with pytest.raises(DataError, match="2 batches; allowed: 3 or more"):
        tradeoff(planted(batches=(4, 8)), 3.0)
    one_sided = [Trial(b, r, 0, np.array([50.0, 150.0]), np.array([4.0, 2.0])) for b in BATCHES for r in (1.0,)]
    with pytest.raises(DataError, match="no critical batch"):
        tradeoff(one_sided, 3.0)


def test_a_rate_counts_only_where_every_seed_gets_there():
    trials = planted(seeds=(0, 1))
    lame = [t for t in trials if not (t.batch_size == 4 and t.learning_rate == 1.0 and t.seed == 1)]
    assert tune(lame, 4, 3.0).learning_rate != 1.0
    assert tune(trials, 4, 3.0).learning_rate == 1.0


def test_crossings_between_points():
    trial = Trial(4, 1.0, 0, np.array([10.0, 40.0, 160.0]), np.array([5.0, 4.0, 2.0]))
    assert trial.reach(4.5) == pytest.approx(20.0)  # half way in ln steps
    assert trial.reach(4.0) == 40.0
    assert math.isnan(trial.reach(1.9))
    assert math.isnan(trial.reach(5.5))  # before the first point


def test_targets_are_reached_by_all():
    trials = planted()
    found = targets(trials, 4)
    assert found == tuple(sorted(found, reverse=True))
    assert len(set(found)) == 4
    for target in found:
        assert all(tune(trials, batch, target) for batch in BATCHES)
    with pytest.raises(DataError):
        targets([], 3)


def test_trials_from_the_tables():
    rows = [
        {"run_id": "a", "status": "finished", "batch_size": 4, "learning_rate": 0.1, "seed": 3},
        {"run_id": "b", "status": "diverged", "batch_size": 4, "learning_rate": 0.1, "seed": 3},
    ]
    points = [{"run_id": "a", "step": s, "loss": loss} for s, loss in ((20, 3.0), (10, 4.0), (5, None))]
    points.append({"run_id": "b", "step": 1, "loss": 9.0})
    (trial,) = trials_of(rows, points)
    assert (trial.steps_K.tolist(), trial.losses_K.tolist()) == ([10.0, 20.0], [4.0, 3.0])
    assert (trial.batch_size, trial.learning_rate, trial.seed) == (4, 0.1, 3)
