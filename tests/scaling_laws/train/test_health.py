"""Spikes and dead runs in sequences whose truth is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_laws.train.health import DEVIATIONS, FEWEST, FLOOR, WINDOW, Health


def falling(steps, seed=0, noise=0.02):
    return 2 + 3 * np.exp(-np.arange(steps) / 100) + np.random.default_rng(seed).normal(0, noise, steps)


def heard(losses, norms=None, dispatch=50):
    health = Health()
    norms = np.ones(len(losses)) if norms is None else norms
    for start in range(0, len(losses), dispatch):
        part = slice(start, start + dispatch)
        health.take(start, losses[part], norms[part])
    return health


def by_hand(values):
    """Indices of spikes, one step after the other."""
    found = []
    for i, value in enumerate(values):
        before = values[max(0, i - WINDOW) : i]
        if len(before) >= FEWEST:
            limit = before.mean() + DEVIATIONS * max(before.std(), FLOOR * abs(before.mean()))
            found += [i] if value > limit else []
    return found


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 700), st.integers(30, 700))
def test_spikes_do_not_depend_on_dispatches(seed, dispatch, steps):
    generator = np.random.default_rng(seed)
    losses, norms = falling(steps, seed), np.exp(generator.normal(0, 0.2, steps))
    losses[generator.integers(0, steps, 3)] += 2
    norms[generator.integers(0, steps, 3)] *= 30
    health = heard(losses, norms, dispatch)
    expected = sorted({*by_hand(losses), *by_hand(norms)})
    assert health.spikes == len(expected)
    assert health.first == losses[:50].tolist()
    assert health.losses == losses[-WINDOW:].tolist()
    trains = [step for step in expected if step == expected[0]]
    for step in expected:
        if step - trains[-1] > WINDOW:
            trains.append(step)
    assert health.spiked_at == (trains[-1] + 1 if trains else 0)
    assert health.before == (losses[: trains[-1]][-50:].tolist() if trains else [])


def test_a_quiet_run_is_finished():
    health = heard(falling(1000), 0.5 + falling(1000, 1))
    assert health.verdict(1000) == ("finished", "")
    assert health.columns() == {"spikes": 0, "bad_step": None, "good_loss": None}


def test_a_spike_that_passes_is_counted_and_forgiven():
    losses = falling(1000)
    losses[400:405] += 3
    health = heard(losses)
    assert health.verdict(1000)[0] == "finished"
    columns = health.columns()
    assert 1 <= columns["spikes"] <= 5
    assert columns["bad_step"] == 401
    assert columns["good_loss"] == pytest.approx(losses[350:400].mean())


@pytest.mark.parametrize("dispatch", [1, 50, 1000])
def test_a_step_is_compared_with_the_last_ones_alone(dispatch):
    losses = 1 + np.random.default_rng(0).normal(0, 0.01, 300)
    losses[0] = 100.0
    losses[WINDOW] += 1  # as long as the first step counts, this is nothing
    assert heard(losses, dispatch=dispatch).spikes == 0
    losses[WINDOW] -= 1
    losses[WINDOW + 1] += 1
    assert heard(losses, dispatch=dispatch).spiked_at == WINDOW + 2


def test_a_spike_of_the_gradient_alone_is_seen():
    norms = np.ones(1000)
    norms[700] = 50
    assert heard(falling(1000), norms).columns()["bad_step"] == 701


def test_a_run_that_does_not_come_back_is_spiked():
    losses = falling(1000)
    losses[800:] += 0.5
    status, reason = heard(losses).verdict(1000)
    assert status == "spiked"
    assert "step 801" in reason


def test_a_loss_that_never_falls_is_dead():
    losses = 5.5 + np.random.default_rng(0).normal(0, 0.05, 300)
    assert heard(losses).verdict(300)[0] == "dead"
    assert heard(losses).verdict(300, may_rest=True)[0] == "finished"
    assert heard(losses[:39]).verdict(39)[0] == "finished"  # too few steps to tell
    losses -= np.linspace(0, 0.1, 300)
    assert heard(losses).verdict(300)[0] == "finished"


def test_divergence_says_where_and_from_what():
    losses = falling(120)
    assert heard(losses).diverged(120) == {"spikes": 0, "bad_step": 121, "good_loss": pytest.approx(losses[70:].mean())}
    assert Health().diverged(0) == {"spikes": 0, "bad_step": 1, "good_loss": None}
