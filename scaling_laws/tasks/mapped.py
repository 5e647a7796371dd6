"""Tokens in files that are mapped into memory: what is read of them, and nothing else, is there."""

import mmap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

FORGOTTEN = 1 << 26  # bytes of windows after which the pages read so far leave this process: it stays small


class Tokens:
    """The tokens of the shards of a split, one after the other."""

    def __init__(self, files: Sequence[Path], lengths: Sequence[int], dtype: str):
        """`lengths`: tokens of each file, which are little-endian; `dtype`: NumPy's name of a token's type."""
        self.files, self.lengths = tuple(files), tuple(lengths)
        self.dtype = np.dtype(dtype).newbyteorder("<")
        self._ends = np.cumsum(self.lengths, dtype=np.int64)
        self._maps: dict[int, mmap.mmap] = {}
        self._read = 0

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def windows(self, starts: np.ndarray, length: int) -> np.ndarray:
        """(n, length) tokens from each of `starts` (n,), places over all shards, on; none reaches over a shard's end.

        Raises OSError where a file cannot be read.
        """
        found = np.empty((len(starts), length), self.dtype.newbyteorder("="))
        shards = np.searchsorted(self._ends, starts, side="right")
        for shard in np.unique(shards).tolist():
            rows = np.flatnonzero(shards == shard)
            begin = int(self._ends[shard]) - self.lengths[shard]
            tokens = np.lib.stride_tricks.sliding_window_view(self._shard(shard), length)
            found[rows] = tokens[starts[rows] - begin]
        self._forget(found.nbytes)
        return found

    def _shard(self, number: int) -> np.ndarray:
        if number not in self._maps:
            with self.files[number].open("rb") as file:
                self._maps[number] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            if hasattr(mmap, "MADV_RANDOM"):
                self._maps[number].madvise(mmap.MADV_RANDOM)
        return np.frombuffer(self._maps[number], self.dtype)

    def _forget(self, n_bytes: int) -> None:
        """The system keeps what was read as long as it has room; this process does not count it as its own."""
        self._read += n_bytes
        if self._read > FORGOTTEN and hasattr(mmap, "MADV_DONTNEED"):
            for each in self._maps.values():
                each.madvise(mmap.MADV_DONTNEED)
            self._read = 0
