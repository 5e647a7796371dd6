"""What a loss means: its mean and standard error, bits per byte, and what general compressors reach."""

import gzip
import lzma
import math

import numpy as np


def loss_and_se(window_losses: np.ndarray, weights: np.ndarray | None = None) -> tuple[float, float]:
    """Weighted mean of the windows' losses (n,) and its standard error across windows, in the losses' unit.

    `weights` (n,), say the targets of each window; None: equal. The error takes windows as independent draws and is
    s / sqrt(n) for equal weights; it says nothing about the spread over seeds. NaN for a single window.
    Raises ValueError for no windows, shapes that differ, or weights that are negative or sum to 0.
    """
    losses = np.asarray(window_losses, np.float64)
    shares = np.ones_like(losses) if weights is None else np.asarray(weights, np.float64)
    if losses.ndim != 1 or losses.shape != shares.shape or not len(losses):
        raise ValueError(
            f"window_losses {losses.shape}, weights {shares.shape}; allowed: two equal shapes (n,), n >= 1"
        )
    if shares.min() < 0 or shares.sum() <= 0:
        raise ValueError("weights: negative or all zero; allowed: 0 or more, with a positive sum")
    shares = shares / shares.sum()
    mean = float(shares @ losses)
    n_windows = len(losses)
    if n_windows == 1:
        return mean, math.nan
    variance = np.sum((shares * (losses - mean)) ** 2) * n_windows / (n_windows - 1)
    return mean, float(np.sqrt(variance))


def bits_per_byte(nats_per_token: float, n_tokens: int, n_bytes: int) -> float:
    """Total nats over ln 2, over the bytes that the `n_tokens` targets stand for. Raises ValueError for no bytes."""
    if n_bytes <= 0:
        raise ValueError(f"n_bytes: {n_bytes}; allowed: 1 or more")
    return nats_per_token * n_tokens / math.log(2) / n_bytes


def compressor_bits_per_byte(raw: bytes) -> dict[str, float]:
    """Bits a byte of `gzip -9` and `xz -9` on `raw`; xz takes about a second a megabyte.

    Raises ValueError for no bytes.
    """
    if not raw:
        raise ValueError("raw: no bytes; allowed: 1 or more")
    sizes = {"gzip": len(gzip.compress(raw, 9, mtime=0)), "xz": len(lzma.compress(raw, preset=9))}
    return {name: 8 * size / len(raw) for name, size in sizes.items()}
