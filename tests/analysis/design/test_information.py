"""Optimal designs whose weights are known in closed form, and information against whole covariance matrices."""

import numpy as np
import pytest

from analysis.design import Candidates, Costs, Errors, Limits
from analysis.design.candidates import Shape
from analysis.design.information import Question
from analysis.design.search import search

LEVELS = 21
X = np.linspace(-1, 1, LEVELS)


def question(slopes_JxP, target, noise=1.0, misfit=0.0, trunk=0.0, shapes=1, prior=1e-9):
    """One draw; candidates at equal cost, `shapes` of as many levels each."""
    count = len(slopes_JxP)
    each = tuple(Shape(10.0 + h, 1.0) for h in range(shapes))
    candidates = Candidates(each, np.repeat(np.arange(shapes), count // shapes), np.ones(count))
    errors = Errors(np.full(count, noise), misfit, trunk)
    slopes, target = np.asarray(slopes_JxP, float)[None], np.asarray(target, float)[None]
    return Question(candidates, errors, slopes, target, prior * np.eye(slopes.shape[2])[None])


def weights(asked, runs):
    """Share of each candidate in the best design of so many runs of cost 1."""
    counts = search(asked, Costs(asked.candidates), Limits(runs, runs, runs)).state.counts_J
    return counts / counts.sum()


def test_the_slope_of_a_line_is_measured_at_both_ends():
    found = weights(question(np.stack([np.ones(LEVELS), X], axis=1), [0, 1]), 40)
    assert found[[0, -1]] == pytest.approx([0.5, 0.5])


def test_a_line_is_continued_from_its_ends_in_the_known_proportion():
    # to x0 = 2 outside [-1, 1]: weights (x0 +- 1) / (2 x0), variance x0^2 / n (Hoel and Levine 1964)
    asked = question(np.stack([np.ones(LEVELS), X], axis=1), [1, 2])
    state = search(asked, Costs(asked.candidates), Limits(40, 40, 40)).state
    assert state.counts_J[[0, -1]] / 40 == pytest.approx([0.25, 0.75])
    assert state.errors_R[0] ** 2 == pytest.approx(2**2 / 40, rel=1e-6)


def test_a_decay_is_measured_where_its_slope_is_largest():
    # y = exp(theta x), theta = -2: x exp(theta x) is largest at x = -1 / theta (Box and Lucas 1959)
    x = np.linspace(0.05, 2, 40)
    found = weights(question((x * np.exp(-2 * x))[:, None], [1]), 10)
    assert x[np.argmax(found)] == pytest.approx(0.5)
    assert found.max() == 1


def test_between_draws_of_the_decay_the_design_is_a_compromise():
    x, rates = np.linspace(0.05, 2, 40), np.array([-1.0, -4.0])
    one = question((x * np.exp(-x))[:, None], [1])
    slopes = (x * np.exp(rates[:, None] * x))[:, :, None]
    both = Question(one.candidates, one.errors, slopes, np.ones((2, 1)), np.full((2, 1, 1), 1e-9))
    best = float(x[np.argmax(weights(both, 6))])
    # the mean of ln |slope| is largest at x = -1 / mean(theta)
    assert best == pytest.approx(1 / 2.5)


def test_a_parabola_is_told_from_a_line_by_the_t_optimal_weights():
    # T-optimal for 1 + x + x^2 against a line on [-1, 1]: 1/4, 1/2, 1/4 (Atkinson and Fedorov 1975, section 4)
    found = weights(question(np.stack([np.ones(LEVELS), X, X**2], axis=1), [0, 0, 1]), 40)
    assert found[[0, LEVELS // 2, -1]] == pytest.approx([0.25, 0.5, 0.25])


def covariance_of_errors(counts, noise, misfit, trunk, per_shape):
    """The whole matrix of the errors of all runs, and the candidate of each."""
    cell = np.repeat(np.arange(len(counts)), counts)
    seed = np.concatenate([np.arange(count) for count in counts])
    shape, n = cell // per_shape, len(cell)
    whole = np.zeros((n, n))
    for i in range(n):
        for k in range(n):
            same_trunk = shape[i] == shape[k] and seed[i] == seed[k]
            whole[i, k] = misfit**2 * (cell[i] == cell[k]) + noise**2 * (1 if i == k else trunk * same_trunk)
    return whole, cell


@pytest.mark.parametrize("misfit, trunk", [(0.0, 0.0), (0.7, 0.0), (0.0, 0.6), (0.7, 0.6)])
def test_information_equals_that_of_generalised_least_squares(misfit, trunk):
    rng = np.random.default_rng(1)
    slopes, target = rng.normal(size=(8, 3)), rng.normal(size=3)
    asked = question(slopes, target, 0.5, misfit, trunk, shapes=2, prior=0.1)
    counts = np.array([2, 0, 1, 3, 1, 1, 0, 2])
    state = asked.at(counts)
    whole, cell = covariance_of_errors(counts, 0.5, misfit, trunk, 4)
    information = slopes[cell].T @ np.linalg.solve(whole, slopes[cell]) + 0.1 * np.eye(3)
    assert state.covariance_RxPxP[0] == pytest.approx(np.linalg.inv(information), rel=1e-9)
    assert state.errors_R[0] ** 2 == pytest.approx(target @ np.linalg.solve(information, target))
    for j in (0, 1, 3):
        assert state.values_after()[j] == pytest.approx(state.add(j).value)
    assert state.remove(3).value == pytest.approx(asked.at(counts - np.eye(8, dtype=int)[3]).value)


def test_seeds_of_a_misfitting_candidate_say_ever_less():
    asked = question(np.ones((1, 1)), [1], noise=0.1, misfit=1.0)
    assert asked.at(np.array([50])).errors_R[0] == pytest.approx(np.hypot(1.0, 0.1 / np.sqrt(50)))


def test_the_search_is_as_good_as_trying_every_design():
    rng = np.random.default_rng(4)
    slopes, target = rng.normal(size=(6, 2)), np.array([1.0, -0.5])
    asked = question(slopes, target, prior=0.01)
    object.__setattr__(asked.candidates, "tokens_J", np.array([1.0, 1, 2, 2, 3, 4]))
    costs, limits = Costs(asked.candidates), Limits(9.0, 6, 3)
    everything = np.stack(np.meshgrid(*[np.arange(4)] * 6, indexing="ij"), axis=-1).reshape(-1, 6)
    fits = (everything @ asked.candidates.tokens_J <= 9) & (everything.sum(axis=1) <= 6)
    best = min(asked.at(counts).value for counts in everything[fits])
    found = search(asked, costs, limits)
    assert found.flops <= 9
    assert found.state.counts_J.sum() <= 6
    assert found.state.value <= best + 0.01
