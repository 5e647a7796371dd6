"""Whole numbers of a few bits, packed without a gap: how they are stored, and unpacked again in a program."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

BYTE = 8  # bits


def packed(whole: np.ndarray, bits: int) -> np.ndarray:
    """Whole numbers of magnitude below 2^(bits - 1), as int8 in their shape where `bits` are 8, else (n,) uint8: each
    number plus 2^(bits - 1) - 1 in `bits` bits, least first, one number after the other, the last byte filled up."""
    if bits == BYTE:
        return whole.astype(np.int8)
    shifted = (whole.astype(np.int16) + _middle(bits)).astype(np.uint8).reshape(-1, 1)
    return np.packbits(np.unpackbits(shifted, axis=1, bitorder="little")[:, :bits], bitorder="little")


def unpacked(stored: Any, bits: int, shape: tuple[int, ...]) -> Any:
    """The whole numbers, as float32 in their shape, traced or not."""
    if bits == BYTE:
        return jnp.asarray(stored).astype(jnp.float32)
    each = (jnp.asarray(stored)[:, None] >> jnp.arange(BYTE, dtype=jnp.uint8)) & 1
    found = each.reshape(-1)[: bits * math.prod(shape)].reshape(-1, bits).astype(jnp.int32)
    return ((found << jnp.arange(bits)).sum(axis=1) - _middle(bits)).astype(jnp.float32).reshape(shape)


def _middle(bits: int) -> int:
    return 2 ** (bits - 1) - 1
