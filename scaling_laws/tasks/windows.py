"""The order of the windows of a text in shards: a pure function of seed and step, of which nothing is held.

A window lies in one shard; what is left at a shard's end is less than two. Its place is counted over all tokens, one
shard after the other. An epoch lays windows end to end from a random offset in each shard and shuffles all of them
(`permutation`): the number of the window, counted from the beginning of training, is all that says where a run stands.
"""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

from scaling_laws.config import ConfigError
from scaling_laws.tasks import batches
from scaling_laws.tasks.permutation import permuted

OFFSETS = 0x0FF5  # of streams, beside those of epochs


@dataclasses.dataclass(frozen=True)
class Windows:
    """The windows of `context` tokens, and their targets, in shards of so many tokens."""

    lengths: tuple[int, ...]
    context: int

    @property
    def an_epoch(self) -> int:
        """Windows of an epoch, the same in each."""
        return int(_ends(self)[-1])

    def of_steps(self, data_seed: int, first_step: int, n_steps: int, batch_size: int, unique: int = 0) -> np.ndarray:
        """(n_steps, batch_size) int64: places of the windows of steps from `first_step` on; with `unique` of so many
        windows alone, without offsets, so that every epoch reads the same tokens.

        Each window of an epoch comes exactly once; a batch may reach over the end of an epoch. Raises ConfigError for
        more unique windows than there are.
        """
        whole = self.an_epoch
        if unique > whole:
            raise ConfigError(f"train.unique_examples: {unique}; allowed: at most {whole} windows, or 0 for all")
        n_windows = unique or whole
        numbers = first_step * batch_size + np.arange(n_steps * batch_size, dtype=np.int64)
        found = np.empty_like(numbers)
        for epoch in np.unique(numbers // n_windows).tolist():
            chosen = numbers // n_windows == epoch
            windows = permuted(numbers[chosen] % n_windows, n_windows, data_seed, epoch)
            if unique:
                found[chosen] = self._places(permuted(windows, whole, batches.UNIQUE), 0)
            else:
                stream = np.random.PCG64(np.random.SeedSequence([data_seed, epoch, OFFSETS]))
                found[chosen] = self._places(windows, int(stream.random_raw()) >> 1)
        return found.reshape(n_steps, batch_size)

    def evenly(self, n_targets: int) -> np.ndarray:
        """(n,) int64: places of evenly spaced windows that have `n_targets` targets together; of all where there are
        fewer."""
        whole = np.array([max(0, (length - 1) // self.context) for length in self.lengths])
        ends, available = np.cumsum(whole), int(whole.sum())
        n_windows = min(available, max(1, -(-n_targets // self.context)))
        numbers = np.arange(n_windows, dtype=np.int64) * available // n_windows
        shards = np.searchsorted(ends, numbers, side="right")
        return _begins(self)[shards] + (numbers - (ends - whole)[shards]) * self.context

    def _places(self, numbers: np.ndarray, offset: int) -> np.ndarray:
        """Places of windows by their numbers in an epoch, laid from `offset`, any number below 2^63, on."""
        ends = _ends(self)
        shards = np.searchsorted(ends, numbers, side="right")
        first = np.concatenate([[0], ends[:-1]])
        return _begins(self)[shards] + offset % _offsets(self)[shards] + (numbers - first[shards]) * self.context


@functools.lru_cache(maxsize=8)
def _ends(windows: Windows) -> np.ndarray:
    """(shards,) windows of an epoch up to the end of each shard."""
    return np.cumsum(_counts(windows.lengths, windows.context))


@functools.lru_cache(maxsize=8)
def _begins(windows: Windows) -> np.ndarray:
    """(shards,) tokens before each shard."""
    return np.concatenate([[0], np.cumsum(windows.lengths[:-1], dtype=np.int64)]).astype(np.int64)


@functools.lru_cache(maxsize=8)
def _offsets(windows: Windows) -> np.ndarray:
    """(shards,) places that the first window of an epoch may have in each shard."""
    left = np.array(windows.lengths) - windows.context * _counts(windows.lengths, windows.context)
    return np.clip(left, 1, windows.context)


def _counts(lengths: Sequence[int], context: int) -> np.ndarray:
    """(shards,) windows of an epoch in each shard, as `batches.windows_per_epoch` has them, but none in one that is too
    short."""
    found = np.array(lengths, np.int64)
    return np.where(found > context, np.maximum(1, (found - context) // context), 0)
