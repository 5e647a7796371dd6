"""Sound as a picture: logarithms of the power in bands of the mel scale, frame by frame.

A band is a triangle over frequency whose corners are equally spaced on the mel scale, mel = 2595 log10(1 + f/700)
(Young et al., "The HTK Book", section 5.4; Davis and Mermelstein, 1980).
"""

import numpy as np

BANDS = 32
WINDOW_SECONDS, HOP_SECONDS = 0.025, 0.010
FLOOR = 1e-6  # power that is added, so that silence has a logarithm
LEAST_RATE = 4000  # below, the lowest bands are narrower than what the window tells apart


def window_length(rate: int) -> int:
    """Samples of a frame."""
    return round(WINDOW_SECONDS * rate)


def frame_count(samples: int, rate: int) -> int:
    """Whole frames in so many samples."""
    return 1 + (samples - window_length(rate)) // round(HOP_SECONDS * rate)


def log_mel(clips: np.ndarray, rate: int) -> np.ndarray:
    """ln(power + 1e-6) in each band: `clips` (n, samples) float32 in [-1, 1] -> (n, frames, 32) float32.

    Frames of 25 ms every 10 ms, those that fit whole; a periodic Hann window; power |DFT|^2 without a factor, padded
    to a power of two.
    """
    window, hop = window_length(rate), round(HOP_SECONDS * rate)
    frames = np.lib.stride_tricks.sliding_window_view(clips, window, axis=1)[:, ::hop]
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype(np.float32)
    spectrum = np.fft.rfft(frames * hann, fft_length(rate), axis=2)
    power = (spectrum.real**2 + spectrum.imag**2).reshape(-1, spectrum.shape[2])  # one product, not one a clip
    bands = power @ filterbank(rate).T
    return np.log(bands + np.float32(FLOOR)).reshape(*spectrum.shape[:2], BANDS)


def fft_length(rate: int) -> int:
    """The power of two that a frame is padded to."""
    return 1 << (window_length(rate) - 1).bit_length()


def filterbank(rate: int) -> np.ndarray:
    """(32, 1 + fft_length / 2) float32: each band's weight at each frequency from 0 to half the rate, 1 at its peak."""
    corners = hertz(np.linspace(0, mels(rate / 2), BANDS + 2))
    frequencies = np.arange(1 + fft_length(rate) // 2) * (rate / fft_length(rate))
    low, peak, high = (corners[k : k + BANDS, None] for k in range(3))
    rising, falling = (frequencies - low) / (peak - low), (high - frequencies) / (high - peak)
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


def mels(hertz: float) -> float:
    """The mel scale of a frequency in hertz."""
    return 2595 * np.log10(1 + hertz / 700)


def hertz(mels: np.ndarray) -> np.ndarray:
    """The frequency in hertz of values on the mel scale."""
    return 700 * (10 ** (mels / 2595) - 1)
