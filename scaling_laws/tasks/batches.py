"""The order in which a run reads its data: a pure function of seed and step, so that a resumed run sees the same.

A window at s has inputs tokens[s : s + context] and targets tokens[s + 1 : s + context + 1]. An epoch lays windows end
to end from a random offset and shuffles them; the next epoch has another offset and another order.
"""

import functools

import numpy as np

INT32_TOKENS = 2**31 - 1
BAGS = 0xBA6  # of streams, beside those of epochs
UNIQUE = 0x0E9  # of streams: the order in which the examples of a split are counted


def windows_per_epoch(length: int, context: int) -> int:
    """Windows that an epoch over `length` tokens has, the same in each. Raises ValueError below one window.

    At most one window's worth of tokens is left for the offset, so windows always start within the first `context`.
    """
    _check(length, context)
    return max(1, (length - context) // context)


def window_starts(
    task_length: int,
    context: int,
    data_seed: int,
    first_step: int,
    n_steps: int,
    batch_size: int,
    bag: int = 0,
    unique: int = 0,
) -> np.ndarray:
    """Starts (n_steps, batch_size), int32, of the windows of steps first_step .. first_step + n_steps - 1; with `bag`
    of those of a bootstrap sample of an epoch's places, the same places in every epoch; with `unique` of so many
    windows (`first_few`), without an offset, so that every epoch reads the same tokens.

    Each window of an epoch comes exactly once; a batch may reach over the end of an epoch. Raises ValueError for a
    text shorter than one window or longer than int32 can index.
    """
    _check_indexed(task_length)
    n_windows = unique or windows_per_epoch(task_length, context)
    first, count = first_step * batch_size, n_steps * batch_size
    starts = np.empty(count, np.int32)
    done = 0
    while done < count:
        epoch, place = divmod(first + done, n_windows)
        taken = _epoch(task_length, context, data_seed, epoch, bag, unique)[place : place + count - done]
        starts[done : done + len(taken)] = taken
        done += len(taken)
    return starts.reshape(n_steps, batch_size)


def shuffled(n_examples: int, data_seed: int, first: int, count: int) -> np.ndarray:
    """(count,) int32: the places from number `first` on in an endless reading of `n_examples`, an epoch after another,
    each a shuffle in which every example comes exactly once. Raises ValueError for no examples."""
    if n_examples < 1:
        raise ValueError("n_examples: 0; allowed: 1 or more")
    found = np.empty(count, np.int32)
    done = 0
    while done < count:
        epoch, place = divmod(first + done, n_examples)
        taken = _shuffle(n_examples, data_seed, epoch)[place : place + count - done]
        found[done : done + len(taken)] = taken
        done += len(taken)
    return found


@functools.lru_cache(maxsize=4)
def _shuffle(n_examples: int, data_seed: int, epoch: int) -> np.ndarray:
    stream = np.random.PCG64(np.random.SeedSequence([data_seed, epoch]))
    order = _permutation(stream, n_examples).astype(np.int32)
    order.flags.writeable = False
    return order


def _permutation(stream: np.random.PCG64, n: int) -> np.ndarray:
    """From the bit generator's raw stream: NumPy keeps that one fixed for ever."""
    return np.argsort(stream.random_raw(n), kind="stable")


def bagged(n: int, bag: int) -> np.ndarray:
    """(n,) places below `n`, drawn with replacement by the seed `bag` (Breiman 1996, "Bagging predictors")."""
    stream = np.random.PCG64(np.random.SeedSequence([bag, BAGS]))
    return (stream.random_raw(n) % np.uint64(n)).astype(np.int64)  # off uniform by n / 2^64


@functools.lru_cache(maxsize=16)
def first_few(n: int, few: int) -> np.ndarray:
    """(few,) of the places 0 .. n - 1, in an order that is one shuffle for all: those of a smaller `few` come first.

    Raises ValueError for more than there are.
    """
    if few > n:
        raise ValueError(f"few: {few}; allowed: at most {n}")
    chosen = _permutation(np.random.PCG64(UNIQUE), n)[:few]
    chosen.flags.writeable = False
    return chosen


def eval_starts(length: int, context: int, n_tokens: int) -> np.ndarray:
    """Starts (n,), int32, of evenly spaced windows that do not overlap and have at least `n_tokens` targets together.

    As many as fit where the text has fewer. Raises ValueError below one window.
    """
    _check(length, context)
    _check_indexed(length)
    available = (length - 1) // context
    n_windows = min(available, max(1, -(-n_tokens // context)))
    return (np.arange(n_windows, dtype=np.int64) * available // n_windows * context).astype(np.int32)


@functools.lru_cache(maxsize=4)
def _epoch(length: int, context: int, data_seed: int, epoch: int, bag: int, unique: int) -> np.ndarray:
    """Starts of one epoch, shuffled."""
    n_windows = windows_per_epoch(length, context)
    stream = np.random.PCG64(np.random.SeedSequence([data_seed, epoch]))
    offsets = min(context, length - n_windows * context)
    offset = 0 if unique else int(stream.random_raw()) % offsets
    places = _permutation(stream, unique or n_windows)
    if unique:
        places = first_few(n_windows, unique)[places]
    elif bag:
        places = bagged(n_windows, bag)[places]
    starts = (offset + context * places).astype(np.int32)
    starts.flags.writeable = False
    return starts


def _check(length: int, context: int) -> None:
    if length < context + 1:
        raise ValueError(f"length: {length} tokens; allowed: {context + 1} or more, one window of context {context}")


def _check_indexed(length: int) -> None:
    if length > INT32_TOKENS:
        raise ValueError(f"length: {length} tokens; allowed: at most {INT32_TOKENS}, what int32 can index; or shards")
