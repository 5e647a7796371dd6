"""The order of the windows of a text in shards."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scaling_laws.config import ConfigError
from scaling_laws.tasks import batches
from scaling_laws.tasks.windows import Windows

layouts = st.tuples(st.lists(st.integers(1, 400), min_size=1, max_size=6), st.integers(1, 30)).map(
    lambda pair: Windows(tuple(pair[0]), pair[1])
)


def inside(windows, places):
    """Shard and place in it of each place; every window lies in one shard."""
    ends = np.cumsum(windows.lengths)
    shards = np.searchsorted(ends, places, side="right")
    local = places - (ends - windows.lengths)[shards]
    assert local.min() >= 0
    assert np.all(local + windows.context + 1 <= np.array(windows.lengths)[shards])
    return shards, local


@settings(max_examples=40, deadline=None)
@given(
    layouts, st.integers(0, 5), st.integers(0, 300), st.lists(st.integers(1, 9), min_size=1, max_size=5),
    st.integers(1, 7), st.integers(0, 3),
)  # fmt: skip
def test_any_pieces_give_the_same_order(windows, seed, first, pieces, batch, unique):
    assume(windows.an_epoch >= max(1, unique))
    whole = windows.of_steps(seed, first, sum(pieces), batch, unique)
    at, parts = first, []
    for piece in pieces:
        parts.append(windows.of_steps(seed, at, piece, batch, unique))
        at += piece
    assert np.array_equal(whole, np.concatenate(parts))
    assert (whole.shape, whole.dtype) == ((sum(pieces), batch), np.int64)


@settings(max_examples=40, deadline=None)
@given(layouts, st.integers(0, 5), st.integers(0, 3))
def test_an_epoch_is_every_window_once_end_to_end(windows, seed, epoch):
    n, context = windows.an_epoch, windows.context
    assume(n)
    assert n == sum(batches.windows_per_epoch(each, context) for each in windows.lengths if each > context)
    shards, local = inside(windows, np.sort(windows.of_steps(seed, epoch * n, n, 1).ravel()))
    for shard in set(shards.tolist()):
        of_shard = local[shards == shard]
        assert np.all(np.diff(of_shard) == context)
        assert len(of_shard) == batches.windows_per_epoch(windows.lengths[shard], context)
        assert of_shard[0] < context


def test_one_shard_has_the_windows_of_a_text():
    """Other order, the same epochs: as many windows, laid as `batches` lays them."""
    ours = np.sort(Windows((10_000,), 64).of_steps(0, 0, 155, 1).ravel())
    theirs = np.sort(batches.window_starts(10_000, 64, 0, 0, 155, 1).ravel())
    assert Windows((10_000,), 64).an_epoch == batches.windows_per_epoch(10_000, 64) == 155
    assert np.array_equal(ours - ours[0], theirs - theirs[0])


def test_epochs_and_seeds_differ():
    windows = Windows((60_000, 40_000), 64)
    n = windows.an_epoch
    epochs = [windows.of_steps(0, epoch, 1, n)[0] for epoch in range(6)]
    assert len({int(epoch.min()) for epoch in epochs}) > 3  # fresh offsets
    assert np.mean(epochs[0] // 64 == epochs[1] // 64) < 0.01
    assert np.mean(epochs[0] == windows.of_steps(1, 0, 1, n)[0]) < 0.01


def test_places_beyond_32_bits():
    windows = Windows((2**31,) * 5, 128)
    places = windows.of_steps(3, 10**6, 4, 64)
    inside(windows, places.ravel())
    assert places.max() > 2**32
    assert windows.an_epoch == 5 * ((2**31 - 128) // 128)


@settings(max_examples=40, deadline=None)
@given(layouts, st.integers(1, 12))
def test_a_few_windows_are_the_same_in_every_epoch_and_among_more(windows, unique):
    assume(windows.an_epoch >= 2 * unique)
    epochs = [windows.of_steps(seed, epoch, 1, unique, unique)[0].tolist() for seed in (0, 1) for epoch in range(3)]
    assert all(sorted(epoch) == sorted(epochs[0]) for epoch in epochs)
    assert len(set(epochs[0])) == unique
    assert set(epochs[0]) <= set(windows.of_steps(0, 0, 1, 2 * unique, 2 * unique)[0].tolist())


@settings(max_examples=40, deadline=None)
@given(layouts, st.integers(1, 3000))
def test_evaluations_read_windows_that_do_not_overlap(windows, n_targets):
    available = sum((length - 1) // windows.context for length in windows.lengths)
    assume(available)
    places = windows.evenly(n_targets)
    assert len(places) == min(available, -(-n_targets // windows.context))
    _, local = inside(windows, places)
    assert np.all(local % windows.context == 0)
    assert np.all(np.diff(places) > 0)


def test_more_windows_than_there_are_are_refused():
    with pytest.raises(ConfigError, match=r"train.unique_examples: 100; allowed: at most 15 windows, or 0 for all"):
        Windows((100, 70), 10).of_steps(0, 0, 1, 1, 100)
