"""WAV files of whole-number samples (PCM), read with the standard library's `wave`."""

import io
import struct
import wave
from pathlib import Path

import numpy as np

from scaling_laws.config import ConfigError
from scaling_laws.disk import read_file

PCM, EXTENSIBLE = 1, 0xFFFE
CODECS = {2: "ADPCM", 3: "floating point", 6: "A-law", 7: "mu-law", 17: "IMA ADPCM", 85: "MP3"}
SUBFORMAT_TAIL = bytes.fromhex("000000001000800000aa00389b71")  # of every subformat that repeats a plain format tag


def read(file: Path) -> tuple[np.ndarray, int]:
    """Samples (n,), float32 in [-1, 1), and their rate in hertz; 8, 16, 24 or 32 bits, two channels are averaged.

    Raises ConfigError, naming the file, for what cannot be read, is no WAV file, is coded otherwise, is cut short or
    holds no sample.
    """
    try:
        raw = read_file(file)
    except OSError as error:
        raise ConfigError(f"task.path: {file} cannot be read ({error.strerror})") from None
    return parse(raw, str(file))


def parse(raw: bytes, name: str) -> tuple[np.ndarray, int]:
    """As `read`, of a file's bytes; `name` is what errors call it."""
    if raw[:4] != b"RIFF" or raw[8:12] != b"WAVE":
        raise ConfigError(f"task.path: {name} is no WAV file; allowed: RIFF WAVE, PCM")
    try:
        with wave.open(io.BytesIO(_plain(raw, name))) as stream:
            channels, width, rate, count = stream.getparams()[:4]
            data = stream.readframes(count)
    except (wave.Error, EOFError, RuntimeError, struct.error) as error:  # RuntimeError: a chunk beyond the end
        reason = str(error) or "it ends in the middle"
        raise ConfigError(f"task.path: {name} is a damaged WAV file ({reason}); allowed: RIFF WAVE, PCM") from None
    if channels not in (1, 2) or width not in (1, 2, 3, 4):
        raise ConfigError(
            f"task.path: {name} has {channels} channels of {8 * width} bits; allowed: 1 or 2 of 8, 16, 24 or 32"
        )
    if count == 0:
        raise ConfigError(f"task.path: {name} holds no sample; allowed: one or more")
    if len(data) != count * channels * width:
        raise ConfigError(
            f"task.path: {name} is cut short: {len(data)} bytes of samples; allowed: the {count * channels * width} "
            "of its header"
        )
    samples = _numbers(data, width)
    samples = samples if channels == 1 else (samples[::2] + samples[1::2]) / 2
    return samples.astype(np.float32), rate


def _numbers(data: bytes, width: int) -> np.ndarray:
    """Little-endian samples of `width` bytes as float64 in [-1, 1); those of one byte are unsigned, 128 is silence."""
    if width == 1:
        return (np.frombuffer(data, np.uint8) - 128.0) / 128
    if width == 3:  # as the upper bytes of 32 bits
        padded = np.zeros((len(data) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        data, width = padded.tobytes(), 4
    return np.frombuffer(data, f"<i{width}") / 2.0 ** (8 * width - 1)


def _plain(raw: bytes, name: str) -> bytes:
    """`raw` with a plain format tag where the extensible one stands for PCM, for which `wave` has no eye before 3.12.

    Raises ConfigError for another codec.
    """
    at = _format_chunk(raw)
    if at is None or len(raw) < at + 16:
        return raw  # damaged, as `wave` will say
    (tag,) = struct.unpack_from("<H", raw, at)
    if tag == EXTENSIBLE and raw[at + 26 : at + 40] == SUBFORMAT_TAIL:
        (tag,) = struct.unpack_from("<H", raw, at + 24)
    if tag != PCM:
        codec = CODECS.get(tag, "another codec")
        raise ConfigError(f"task.path: {name} is coded as {codec} (format {tag:#06x}); allowed: PCM, whole numbers")
    return raw[:at] + struct.pack("<H", PCM) + raw[at + 2 :]


def _format_chunk(raw: bytes) -> int | None:
    """Where the content of the chunk `fmt ` begins."""
    at = 12
    while at + 8 <= len(raw):
        kind, size = struct.unpack_from("<4sI", raw, at)
        if kind == b"fmt ":
            return at + 8
        at += 8 + size + size % 2
    return None
