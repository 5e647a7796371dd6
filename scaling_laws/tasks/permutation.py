"""A shuffle of 0 .. n - 1 of which nothing is held: any of its places is worked out by itself.

A Feistel network over the bits of a place (Luby and Rackoff 1988), walked until it is below n again (Black and Rogaway
2002, "Ciphers with arbitrary finite domains"): a permutation whatever the round function is.
"""

import functools

import numpy as np

ROUNDS = 8  # three suffice for random functions, and these are only mixed
LEAST_BITS = 3  # of half a place: a smaller network knows too few permutations
MOST = 2**62  # places


def permuted(places: np.ndarray, n: int, *key: int) -> np.ndarray:
    """(...) int64: where `places` (...), each from 0 to n - 1, are in the shuffle that `key`, whole numbers of 0 or
    more, names.

    Raises ValueError for n beyond 1 .. 2^62.
    """
    if not 1 <= n <= MOST:
        raise ValueError(f"n: {n}; allowed: 1 to {MOST}")
    half = max(LEAST_BITS, ((n - 1).bit_length() + 1) // 2)
    found = np.array(places, np.uint64)
    outside = np.ones(found.shape, bool)
    while outside.any():  # of 4 n places at most, so a few times, but for the smallest n
        found[outside] = _network(found[outside], half, key)
        outside = found >= n
    return found.astype(np.int64)


def _network(values: np.ndarray, half: int, key: tuple[int, ...]) -> np.ndarray:
    """A permutation of the numbers of 2 x `half` bits."""
    bits, mask = np.uint64(half), np.uint64((1 << half) - 1)
    left, right = values >> bits, values & mask
    for number in _keys(key):
        left, right = right, left ^ (_mixed(right + number) & mask)
    return (left << bits) | right


def _mixed(values: np.ndarray) -> np.ndarray:
    """Every bit of the result depends on every bit of the value (Stafford's variant 13 of the finaliser of MurmurHash3,
    as in SplitMix64, Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


@functools.lru_cache(maxsize=64)
def _keys(key: tuple[int, ...]) -> tuple[np.uint64, ...]:
    stream = np.random.PCG64(np.random.SeedSequence([len(key), *key]))
    return tuple(np.uint64(number) for number in stream.random_raw(ROUNDS))
