"""The shuffle of which nothing is held: every place once, and none likelier than another."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from scaling_laws.tasks.permutation import MOST, permuted


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 1000), st.integers(0, 2**31 - 1), st.integers(0, 5))
def test_every_place_comes_once(n, seed, epoch):
    assert sorted(permuted(np.arange(n), n, seed, epoch).tolist()) == list(range(n))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, MOST), st.integers(0, 9), st.data())
def test_a_place_is_found_by_itself_however_many_there_are(n, seed, data):
    places = np.array(data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=5)))
    found = permuted(places, n, seed)
    assert found.dtype == np.int64
    assert 0 <= found.min() <= found.max() < n
    assert found.tolist() == [int(permuted(place, n, seed)) for place in places]
    assert len(set(found.tolist())) == len(set(places.tolist()))


@pytest.mark.parametrize("n", [3, 16, 100])
def test_each_place_may_go_anywhere(n):
    found = np.array([permuted(np.arange(n), n, seed) for seed in range(600)])
    for place in range(0, n, max(1, n // 5)):
        assert stats.chisquare(np.bincount(found[:, place], minlength=n)).pvalue > 1e-4
    if n == 3:
        kinds = np.unique(found, axis=0, return_counts=True)[1]
        assert len(kinds) == 6
        assert stats.chisquare(kinds).pvalue > 1e-4


def test_neighbours_are_parted_as_by_a_fair_shuffle():
    """Steps between the images of neighbours, and their order, beside those of NumPy's own shuffle."""
    n = 100_000
    ours, fair = permuted(np.arange(n), n, 7), np.random.default_rng(0).permutation(n)
    assert stats.ks_2samp(np.diff(ours), np.diff(fair)).pvalue > 1e-3
    assert abs(np.corrcoef(np.arange(n), ours)[0, 1]) < 4 / np.sqrt(n)
    assert abs(np.mean(np.diff(ours) > 0) - 0.5) < 4 * np.sqrt(1 / 12 / n)
    assert np.sum(ours == np.arange(n)) < 10


def test_keys_shuffle_differently():
    n = 10_000
    ways = [permuted(np.arange(n), n, *key) for key in ((0, 0), (0, 1), (1, 0), (1,), (2**31 - 1, 5))]
    for k, one in enumerate(ways):
        for other in ways[:k]:
            assert np.sum(one == other) < 10
            assert abs(np.corrcoef(one, other)[0, 1]) < 5 / np.sqrt(n)


def test_the_shuffle_is_pinned():
    """A changed order would break resuming across versions: these numbers may change only with a reason."""
    assert permuted(np.arange(10), 10, 0, 0).tolist() == [3, 7, 5, 8, 1, 4, 9, 2, 0, 6]
    assert permuted(np.array([0, 10**12]), 10**15, 3).tolist() == [974637860872379, 748690499009661]


@pytest.mark.parametrize("n", [0, -1, MOST + 1])
def test_no_places_or_too_many_are_refused(n):
    with pytest.raises(ValueError, match=f"n: {n}; allowed: 1 to"):
        permuted(np.zeros(1), n)
