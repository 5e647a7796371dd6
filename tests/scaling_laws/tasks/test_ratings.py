"""Ratings: pairs, a split that shows everybody, and a made-up matrix whose rank and noise are found again."""

import csv
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_laws.config import ConfigError, TaskConfig
from scaling_laws.tasks import ratings

SPLITS = ("train", "valid", "heldout")


def load(path="", **settings):
    return ratings.load(TaskConfig(name="ratings", path=str(path), **settings), None)


def write(place, rows, header=("user", "item", "rating")):
    with place.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return place


def some(n=200, seed=0):
    random = np.random.default_rng(seed)
    cells = random.permutation(30 * 20)[:n]
    return [[f"u{c // 20}", f"i{c % 20}", f"{random.normal(3, 1):.2f}"] for c in cells]


def triples(task, users, items, mean=0.0, deviation=1.0):
    return {
        (users[u], items[i], round(float(y) * deviation + mean, 2))
        for name in SPLITS
        for (u, i), y in zip(task.split(name)["inputs"], task.split(name)["targets"], strict=True)
    }


def test_a_file_becomes_pairs_of_sorted_names_and_standardised_ratings(tmp_path):
    rows = some()
    turned = [[rating, "x", user, item] for user, item, rating in rows]
    place = write(tmp_path / "a.csv", turned, ("rating", "time", "user", "item"))
    users, items = (sorted({row[k] for row in rows}) for k in (0, 1))
    bare, task = load(place, standardise=False), load(place)
    expected = {(user, item, float(rating)) for user, item, rating in rows}
    assert triples(bare, users, items) == expected
    mean, deviation = (f(bare.train["targets"].astype(np.float64)) for f in (np.mean, np.std))
    assert triples(task, users, items, mean, deviation) == expected
    noted = re.fullmatch(r"ratings standardised by the train split: mean (.*), deviation (.*)", task.notes[0])
    assert noted
    assert [float(number) for number in noted.groups()] == pytest.approx([mean, deviation], rel=1e-6)
    assert task.notes[-1] == "columns that are not read: 'time'"
    assert (task.spec.inputs, task.spec.shape, task.spec.outputs) == ("pair", (2,), 1)
    assert (task.spec.sizes, task.spec.loss) == ((len(users), len(items)), "squared_error")
    assert (task.train["inputs"].dtype, task.train["targets"].dtype) == (np.int32, np.float32)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 99), split_seed=st.integers(0, 99), n=st.integers(80, 300), folds=st.sampled_from([0, 4]))
def test_everybody_who_is_measured_on_is_trained_on(tmp_path_factory, seed, split_seed, n, folds):
    place = write(tmp_path_factory.mktemp("ratings") / "a.csv", some(n, seed))
    task = load(place, split_seed=split_seed, folds=folds)
    assert sum(task.length(name) for name in SPLITS) == n
    for column in (0, 1):
        seen = set(task.train["inputs"][:, column])
        assert seen == set(range(task.spec.sizes[column]))
    pairs = [{tuple(pair) for pair in task.split(name)["inputs"].tolist()} for name in SPLITS]
    assert len(set.union(*pairs)) == n


def test_the_rows_that_show_everybody_are_the_first_in_their_order():
    pairs = np.array([[0, 0], [0, 1], [1, 1], [1, 0], [0, 0]])
    assert ratings.first_shown(pairs, np.arange(5)).tolist() == [0, 1, 2]
    assert ratings.first_shown(pairs, np.array([3, 1, 0, 2])).tolist() == [3, 1]


def test_shares_are_of_the_ratings_that_show_nobody_new():
    task = load()
    kept = int(task.notes[1].split()[0])
    assert 500 < kept < 900
    assert task.length("heldout") == round(0.1 * (40_000 - kept))
    assert task.length("valid") == round(0.05 * (40_000 - kept))


def test_the_split_is_that_of_the_names_whatever_their_order_in_the_file(tmp_path):
    rows = some()
    held = [
        triples_of(load(write(tmp_path / f"{k}.csv", part), standardise=False))
        for k, part in enumerate((rows, rows[::-1]))
    ]
    assert held[0] == held[1]


def triples_of(task):
    return {(*pair, float(y)) for pair, y in zip(task.heldout["inputs"].tolist(), task.heldout["targets"], strict=True)}


@pytest.mark.parametrize("rank", [1, 4, 9])
def test_the_made_up_truth_has_the_rank_that_is_asked_for(rank):
    truth, pairs, values = ratings.generated(TaskConfig(name="ratings", rank=rank))
    assert (truth.shape, len(pairs)) == ((500, 400), 40_000)
    corner = truth[:rank, :rank]
    assert np.linalg.matrix_rank(corner) == rank
    np.testing.assert_allclose(truth[:, :rank] @ np.linalg.solve(corner, truth[:rank]), truth, atol=1e-8)
    assert truth.std() == pytest.approx(1, rel=0.15)
    assert len({tuple(pair) for pair in pairs.tolist()}) == 40_000
    rest = values - truth[pairs[:, 0], pairs[:, 1]]
    assert rest.std() == pytest.approx(0.1, rel=0.02)
    assert abs(rest.mean()) < 4 * 0.1 / 200


def test_least_squares_in_turns_reaches_the_noise_floor_of_the_made_up_ratings_and_not_below():
    task = load(noise=0.3, standardise=False, rank=2)
    pairs, y = task.train["inputs"], task.train["targets"].astype(np.float64)
    factors = [np.random.default_rng(0).normal(size=(size, 2)) for size in task.spec.sizes]
    for turn in range(12):  # alternating least squares, Koren et al. 2009
        side = turn % 2
        other = factors[1 - side][pairs[:, 1 - side]]
        for k in range(task.spec.sizes[side]):
            rows = pairs[:, side] == k
            x = other[rows]
            factors[side][k] = np.linalg.solve(x.T @ x + 0.05 * np.eye(2), x.T @ y[rows])
    found = (factors[0][task.heldout["inputs"][:, 0]] * factors[1][task.heldout["inputs"][:, 1]]).sum(axis=1)
    error = np.mean((found - task.heldout["targets"]) ** 2)
    assert 0.09 * 0.97 < error < 0.09 * 1.15
    assert "no mean squared error below 0.09, before standardising" in task.notes[-1]


def test_a_rank_beyond_the_matrix_and_too_many_ratings_are_refused():
    with pytest.raises(ConfigError, match=r"task.rank: 401; allowed: at most 400 of 500 users x 400 items"):
        load(rank=401)
    with pytest.raises(ConfigError, match=r"task.examples: 200001; allowed: at most 200000"):
        load(examples=200_001)
