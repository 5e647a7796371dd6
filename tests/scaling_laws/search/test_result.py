"""What a search came to: which trial is the best, and what its spread is."""

import pytest

from scaling_laws.search.result import best_of, lines, seed_deviation
from scaling_laws.search.trials import TOLD, Trial


def trial(number, value, rung=0, runs=()):
    return Trial(number, TOLD, rung, number, "o", "w", {}, value, tuple(runs))


def test_the_best_is_of_the_last_rung_and_the_earliest_of_equals(make):
    trials = [trial(0, 1.0), trial(1, 3.0, 1), trial(2, 2.0, 1), trial(3, 2.0, 1)]
    assert best_of(trials, make(eta=2, rungs=2)).number == 2
    assert best_of(trials[:1], make(eta=2, rungs=2)) is None
    assert best_of(trials[:1], make()).number == 0


def test_the_spread_is_of_seeds_not_of_folds():
    runs = [{"seed": s, "fold": f, "value": 2 + s + 10 * f} for s in (0, 1, 2) for f in (0, 1)]
    assert seed_deviation(trial(0, 2.0, runs=runs)) == pytest.approx(1.0)
    assert seed_deviation(trial(0, 2.0, runs=runs[:2])) is None


def test_a_search_without_a_value_says_so():
    found = {"trials": [{"state": "refused"}], "n_open": 0, "n_runs": 0, "flops": 0.0, "best": None}
    assert lines(found) == ["search: 0 trials told, 1 refused, 0 runs, 0 FLOPs in all; none has a value yet"]
