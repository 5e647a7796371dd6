"""Spoken keywords that are generated: eight words of two or three vowels, by speakers who all differ.

A vowel is two formants, near those of Peterson and Barney (1952); between vowels the formants glide. Speakers differ
in pitch, length of the vocal tract (a factor on the formants), speed, loudness and when they begin, and there is
noise. Most words are the same three vowels in another order: not what is heard gives one away, but when.
"""

from collections.abc import Iterator

import numpy as np

RATE, SAMPLES = 8000, 4000
CLIPS, MOST_CLIPS = 2400, 1 << 17
NOISE = 0.05
CHUNK = 32
SEED = 20240
VOWELS = {"a": (730, 1090), "i": (270, 2290), "u": (300, 870)}
WORDS = ("ai", "ia", "aiu", "aui", "iau", "iua", "uai", "uia")


def clips(count: int, noise: float = 0.0) -> Iterator[np.ndarray]:
    """`count` clips in chunks (m, 4000) of float32, whole numbers / 32768, at 8 kHz; word k % 8 is clip k's.

    The first clips of more are the same clips. `noise`: deviation of the background, where full scale is 1 and a
    voice's peak is .1 to .6; 0 takes 0.05. Rounding to 16 bits hides what processors differ in.
    """
    for start in range(0, count, CHUNK):
        rng = np.random.Generator(np.random.PCG64([SEED, start // CHUNK]))
        sound = _voices(np.arange(start, start + CHUNK) % len(WORDS), rng)
        sound += (noise or NOISE) * rng.standard_normal(sound.shape)
        whole = np.clip(np.rint(32768 * sound), -32768, 32767)
        yield (whole[: count - start] / 32768).astype(np.float32)


def targets(count: int) -> np.ndarray:
    """(count,) int32: the word of each clip."""
    return (np.arange(count) % len(WORDS)).astype(np.int32)


def _voices(words: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n, 4000): each word by a speaker of its own, without noise."""
    n = len(words)

    def drawn(low: float, high: float) -> np.ndarray:
        return rng.uniform(low, high, (n, 1))

    duration = drawn(0.20, 0.45)
    begin = drawn(0, 1) * (SAMPLES / RATE - duration)
    pitch, tract = np.exp(drawn(np.log(90), np.log(250))), np.exp(drawn(-0.2, 0.2))
    loudness, tilt = np.exp(drawn(np.log(0.1), np.log(0.6))), drawn(0.3, 0.7)
    time = np.arange(SAMPLES) / RATE
    place = (time - begin) / duration  # from 0 to 1 within the word
    formants = np.empty((2, n, SAMPLES))
    for number, word in enumerate(WORDS):
        formants[:, words == number] = _glide(word, place[words == number])
    phase = 2 * np.pi / RATE * np.cumsum(tract * formants, axis=2)
    shape = np.clip(6 * np.minimum(place, 1 - place), 0, 1) * (0.5 + 0.5 * np.cos(2 * np.pi * pitch * time))
    return loudness * shape * ((1 - tilt) * np.cos(phase[0]) + tilt * np.cos(phase[1]))


def _glide(word: str, place: np.ndarray) -> np.ndarray:
    """(2, *place.shape): both formants in hertz. A vowel is held for half of its share, then glides to the next."""
    share = 1 / len(word)
    knots = [(k + edge) * share for k in range(len(word)) for edge in (0.25, 0.75)]
    return np.stack([np.interp(place, knots, [VOWELS[v][f] for v in word for _ in range(2)]) for f in range(2)])
