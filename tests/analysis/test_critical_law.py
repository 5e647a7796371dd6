"""The critical batch over the loss: a planted power comes back, and its interval holds it about as often as it says."""

import math

import numpy as np
import pytest

from analysis.critical_batch import Trial, foretold, tradeoff
from analysis.critical_law import critical_law
from analysis.load import DataError

BATCHES, SEEDS = (2, 4, 8, 16, 32, 64), (0, 1)
POWER, B_AT_4 = 5.0, 20.0  # B_crit = 20 (L / 4)^-5 windows
TARGETS = (4.4, 4.2, 4.0, 3.8)


def planted(noise=0.0, seed=0, batches=BATCHES):
    """Curves that reach a loss L in 30 (L / 4)^-8 (1 + B_crit(L) / B) steps; a run is slower or faster throughout."""
    rng, losses, trials = np.random.default_rng(seed), np.linspace(5.0, 3.6, 300), []
    for batch in batches:
        for own in SEEDS:
            crit = B_AT_4 * (losses / 4) ** -POWER
            steps = 30 * (losses / 4) ** -8 * (1 + crit / batch) * math.exp(noise * rng.normal())
            trials.append(Trial(batch, 0.01, own, steps, losses, f"{batch}-{own}"))
    return trials


def found(trials, resamples=20, wanted=TARGETS):
    return [tradeoff(trials, target, resamples) for target in wanted]


def test_a_planted_power_comes_back():
    law = critical_law(found(planted()), 20)
    assert law.power == pytest.approx(POWER, rel=1e-3)
    assert law.b_crit(np.array([4.0, 3.0])) == pytest.approx([B_AT_4, B_AT_4 * 0.75**-POWER], rel=2e-3)
    assert law.samples_RxT.shape == (20, 4)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    inside = []
    for seed in range(40):
        law = critical_law(found(planted(0.08, seed), wanted=TARGETS[::3]), 100)
        low, high = law.power_interval
        inside.append(low < POWER < high)
        below, above = law.band(np.array([4.0]))
        assert below[0] < law.b_crit(np.array([4.0]))[0] < above[0]
    assert 0.8 < np.mean(inside) < 1.0


def test_the_runs_of_a_batch_and_seed_are_drawn_for_all_targets_together():
    """A run that is slower throughout moves no power: drawn apart, the targets would wander against each other."""
    law = critical_law(found(planted(0.08, 3)), 300)
    logs = np.log(law.samples_RxT[np.isfinite(law.samples_RxT).all(axis=1)])
    assert np.corrcoef(logs.T).min() > 0.9


def test_one_target_has_no_power():
    with pytest.raises(DataError, match="1 targets with a hyperbola; allowed: two or more"):
        critical_law(found(planted(), wanted=(4.0,)))


def test_a_batch_is_foretold_from_the_others():
    told = foretold(found(planted())[2], 64, 50)
    assert told.steps == pytest.approx(30 * (1 + B_AT_4 / 64), rel=1e-3)
    assert told.ratio == pytest.approx(1.0, rel=1e-3)
    slow = [Trial(64, 0.01, one.seed, one.steps_K * 1.5, one.losses_K) for one in planted(batches=(64,))]
    told = foretold(found([*planted(0.01, batches=BATCHES[:-1]), *slow])[2], 64, 50)
    assert told.ratio == pytest.approx(1 / 1.5, rel=0.1)
    assert told.interval[0] < told.ratio < told.interval[1] < 1.0
    assert foretold(found(planted(batches=(2, 4, 8)))[2], 8) is None
