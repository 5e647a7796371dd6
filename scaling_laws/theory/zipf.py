"""A memoriser of items with Zipf's frequencies: Hutter 2021, "Learning Curve Theory".

Item i = 1 .. M comes with probability p_i ~ i^-(1+a) and has a target of +1 or -1 of its own. A table of w numbers, all
0 at first, keeps the targets of the w most frequent items. An item seen once is known; an error costs 1, the square of
its target. So the loss is the probability of an item that was never seen or has no place: ~ n^-(a/(1+a)) in the n
examples seen, ~ w^-a in the places.

A table trained by SGD on the mean of (y - f)^2 over a batch of B has the gradient -2 c (y - f) / B at an item that
comes c times in the batch. One sight fills its place exactly at the learning rate B/2 if c = 1, but a rate of B/2
diverges where c > 2 (the error is multiplied by 1 - c); so take B = 1 and the rate 1/2, or sum over distinct items.
"""

from collections.abc import Sequence

import numpy as np

EXACT_RATE = 0.5  # SGD's learning rate with which one sight fills a place, at a batch of one


def probabilities(alpha: float, items: int) -> np.ndarray:
    """p (M,), descending, of sum 1."""
    weights_M = np.arange(1, items + 1, dtype=np.float64) ** -(1 + alpha)
    return weights_M / weights_M.sum()


def expected_loss(alpha: float, items: int, n_examples: Sequence[float] | np.ndarray, places: int = 0) -> np.ndarray:
    """Expected loss (k,) after each of `n_examples` (k,): sum of p_i (1 - p_i)^n over the items that have a place, and
    of p_i over the others. `places`: 0 for one an item.
    """
    p_M = probabilities(alpha, items)
    kept, lost = np.split(p_M, [places or items])
    remembered_M = np.log1p(-np.minimum(kept, 1 - 1e-16))
    return np.array([kept @ np.exp(n * remembered_M) for n in np.asarray(n_examples, float)]) + lost.sum()


def loss_variance(alpha: float, items: int, n_examples: int, places: int = 0) -> float:
    """Variance of that loss over the examples drawn, without the covariances of two items, which are negative: so an
    upper bound, close where no item is a large part of the loss.
    """
    kept = probabilities(alpha, items)[: places or items]
    unseen = np.exp(n_examples * np.log1p(-np.minimum(kept, 1 - 1e-16)))
    return float(np.square(kept) @ (unseen * (1 - unseen)))


def example_exponent(alpha: float) -> float:
    """a/(1+a): loss ~ n^-(a/(1+a)) with places enough (Hutter 2021, section 3)."""
    return alpha / (1 + alpha)


def capacity_exponent(alpha: float) -> float:
    """a: loss ~ w^-a with examples enough: the sum of p_i over i > w."""
    return alpha


def survival(alpha: float, items: int) -> np.ndarray:
    """(M,), descending: probability of an item i or later, float32.

    Item i is drawn by a uniform number u with survival[i + 1] < u <= survival[i]. Sums are taken from the rare end,
    where float32 is fine: every step is exact to 6e-8 of itself, while a sum from the frequent end would lose all items
    rarer than 6e-8. A u of 24 bits still never falls below 2^-24, so draw it from more bits where that is too coarse.
    """
    return np.cumsum(probabilities(alpha, items)[::-1])[::-1].astype(np.float32)


def items_of(uniform: np.ndarray, survival_M: np.ndarray) -> np.ndarray:
    """Items, counted from 0, for numbers in (0, 1]; the same shape, int32. `jax.numpy.searchsorted` does the same."""
    ascending_M = survival_M[::-1]
    place = np.searchsorted(ascending_M, uniform, side="left")
    return (len(survival_M) - 1 - np.minimum(place, len(survival_M) - 1)).astype(np.int32)


def targets(items: int, seed: int) -> np.ndarray:
    """(M,) float32: +1 or -1 for every item."""
    return np.random.default_rng(seed).choice(np.array([-1, 1], np.float32), items)
