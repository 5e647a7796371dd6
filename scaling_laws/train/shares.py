"""What one of several processes has of a tensor that lies over the devices of all of them."""

import dataclasses
import math

import jax
import numpy as np

Piece = tuple[tuple[int, ...], np.ndarray]  # where it begins along each axis, and its values


@dataclasses.dataclass(frozen=True, eq=False)
class Share:
    """The pieces of a tensor of this shape that one process writes; those of all processes make the whole, once."""

    shape: tuple[int, ...]
    dtype: np.dtype
    pieces: tuple[Piece, ...]

    @classmethod
    def of(cls, tensor: jax.Array) -> "Share":
        """The share of this process: the slices on its devices, but for copies of what another device has."""
        shards = [shard for shard in tensor.addressable_shards if shard.replica_id == 0]
        pieces = [(tuple(cut.start or 0 for cut in shard.index), np.asarray(shard.data)) for shard in shards]
        return cls(tensor.shape, np.dtype(tensor.dtype), tuple(pieces))

    def __getitem__(self, index: int) -> "Share":
        """The share of `tensor[index]`, the first axis of which is whole in every piece."""
        assert all(len(values) == self.shape[0] for _, values in self.pieces), "cut along the first axis"
        pieces = [(begin[1:], values[index]) for begin, values in self.pieces]
        return Share(self.shape[1:], self.dtype, tuple(pieces))

    @property
    def nbytes(self) -> int:
        """Bytes of the whole tensor."""
        return math.prod(self.shape) * self.dtype.itemsize
