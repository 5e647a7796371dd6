"""The memoriser's laws against counting, against a table trained by SGD, and against their exponents."""

import numpy as np
import pytest

from scaling_laws.theory import zipf

ITEMS = 300


def slope(x, y):
    return -np.polyfit(np.log(x), np.log(y), 1)[0]


def trained(alpha, places, n_examples, rng):
    """The exact loss of a table after SGD with one example a step at the rate that memorises."""
    p, y = zipf.probabilities(alpha, ITEMS), zipf.targets(ITEMS, 0)
    table = np.zeros(ITEMS)
    for item in zipf.items_of(1 - rng.random(n_examples), zipf.survival(alpha, ITEMS)):
        if item < places:
            table[item] -= zipf.EXACT_RATE * -2 * (y[item] - table[item])
    return p @ np.square(y - table)


@pytest.mark.parametrize("places", [ITEMS, 20])
def test_mean_loss_of_trained_tables_is_the_expected_one(places):
    rng = np.random.default_rng(1)
    losses = np.array([trained(0.7, places, 200, rng) for _ in range(300)])
    expected = zipf.expected_loss(0.7, ITEMS, [200], places)[0]
    assert abs(losses.mean() - expected) < 3.5 * losses.std() / np.sqrt(300)
    bound = zipf.loss_variance(0.7, ITEMS, 200, places)
    assert 0.4 * bound < losses.var() < 1.2 * bound


def test_expected_loss_is_the_sum_over_unseen_items():
    p = zipf.probabilities(1.0, 5)
    assert p == pytest.approx(np.array([1, 1 / 4, 1 / 9, 1 / 16, 1 / 25]) / 1.4636111)
    assert zipf.expected_loss(1.0, 5, [0, 3]) == pytest.approx([1, sum(p * (1 - p) ** 3)])
    assert zipf.expected_loss(1.0, 5, [0, 3], 2) == pytest.approx([1, sum(p[:2] * (1 - p[:2]) ** 3) + sum(p[2:])])
    assert zipf.expected_loss(1.0, 1, [0, 1]) == pytest.approx([1, 0])


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_losses_fall_with_their_exponents(alpha):
    n = np.geomspace(1e3, 1e5, 5)
    assert slope(n, zipf.expected_loss(alpha, 1 << 20, n)) == pytest.approx(zipf.example_exponent(alpha), abs=0.02)
    w = np.array([64, 128, 256, 512])
    loss = [zipf.expected_loss(alpha, 1 << 20, [1e12], places)[0] for places in w]
    assert slope(w, loss) == pytest.approx(zipf.capacity_exponent(alpha), abs=0.02)


def test_exponents_are_hutters():
    assert (zipf.example_exponent(1), zipf.example_exponent(0.5)) == (0.5, pytest.approx(1 / 3))
    assert (zipf.capacity_exponent(1), zipf.capacity_exponent(0.5)) == (1, 0.5)


def test_items_are_drawn_with_their_probabilities():
    drawn = zipf.items_of(1 - np.random.default_rng(0).random(400000), zipf.survival(1.0, ITEMS))
    p = zipf.probabilities(1.0, ITEMS)
    counts = np.bincount(drawn, minlength=ITEMS)
    assert drawn.dtype == np.int32
    assert len(counts) == ITEMS
    chi_square = np.sum((counts - 400000 * p) ** 2 / (400000 * p))
    assert abs(chi_square - (ITEMS - 1)) < 5 * np.sqrt(2 * ITEMS)


def test_edges_of_the_uniform_numbers_fall_into_the_first_and_the_last_item():
    survival = zipf.survival(0.5, ITEMS)
    assert survival.dtype == np.float32
    assert (np.diff(survival) < 0).all()
    found = zipf.items_of(np.array([1.0, survival[1], survival[-1], 1e-30]), survival)
    assert found.tolist() == [0, 1, ITEMS - 1, ITEMS - 1]


def test_a_million_items_keep_their_probabilities_in_float32():
    survival = zipf.survival(0.5, 1 << 20).astype(np.float64)
    p = zipf.probabilities(0.5, 1 << 20)
    kept = -np.diff(np.append(survival, 0))
    assert (kept > 0).all()
    assert np.allclose(kept[: 1 << 16], p[: 1 << 16], rtol=0.05, atol=0)


def test_targets_are_signs_of_their_seed():
    signs = zipf.targets(1000, 3)
    assert set(signs.tolist()) == {-1.0, 1.0}
    assert abs(signs.mean()) < 0.1
    assert np.array_equal(signs, zipf.targets(1000, 3))
    assert not np.array_equal(signs, zipf.targets(1000, 4))
