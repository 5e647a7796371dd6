"""WAV files against what `wave` writes, byte by byte where it writes none, and damaged ones."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wav_files import RATE, chunk, form, riff, to_wav

from scaling_laws.config import ConfigError
from scaling_laws.tasks import wav


def refused(raw):
    with pytest.raises(ConfigError) as error:
        wav.parse(raw, "clip.wav")
    message = str(error.value)
    assert message.startswith("task.path: clip.wav ")
    assert "\n" not in message
    return message


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_samples_are_what_was_written_over_full_scale(data):
    width, channels = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 2))
    low, high = (0, 255) if width == 1 else (-(2 ** (8 * width - 1)), 2 ** (8 * width - 1) - 1)
    count = data.draw(st.integers(1, 6))
    values = data.draw(st.lists(st.integers(low, high), min_size=count * channels, max_size=count * channels))
    samples, rate = wav.parse(to_wav(values, width, channels), "x")
    centre = 128 if width == 1 else 0
    expected = [sum(values[k * channels : (k + 1) * channels]) / channels - centre for k in range(count)]
    np.testing.assert_allclose(samples, np.array(expected) / 2 ** (8 * width - 1), rtol=1e-7, atol=1e-9)
    assert (samples.dtype, rate) == (np.float32, RATE)


def extensible(bits, tag, tail="000000001000800000aa00389b71"):
    return struct.pack("<HHI", 22, bits, 0) + struct.pack("<H", tag) + bytes.fromhex(tail)


def test_the_extensible_form_of_pcm_is_read():
    data = (1).to_bytes(3, "little") + (-(2**23)).to_bytes(3, "little", signed=True)
    raw = riff(chunk(b"JUNK", b"odd"), form(0xFFFE, bits=24, more=extensible(24, 1)), chunk(b"data", data))
    assert wav.parse(raw, "x")[0].tolist() == [2.0**-23, -1]


@pytest.mark.parametrize(
    "raw, said",
    [
        (b"", "is no WAV file; allowed: RIFF WAVE, PCM"),
        (b"just a text", "is no WAV file"),
        (b"RIFF\x04\0\0\0AVI ", "is no WAV file"),
        (riff(), "is a damaged WAV file"),
        (riff(form()), "is a damaged WAV file"),
        (riff(chunk(b"data", b"12")), "is a damaged WAV file"),
        (to_wav([1, 2, 3])[:20], "is a damaged WAV file"),
        (to_wav([1, 2, 3])[:-1], "is cut short: 5 bytes of samples; allowed: the 6 of its header"),
        (to_wav([]), "holds no sample; allowed: one or more"),
        (to_wav([1] * 6, channels=3), "has 3 channels of 16 bits; allowed: 1 or 2 of 8, 16, 24 or 32"),
        (riff(form(bits=64), chunk(b"data", bytes(16))), "has 1 channels of 64 bits"),
        (riff(form(3, bits=32), chunk(b"data", bytes(8))), "is coded as floating point (format 0x0003); allowed: PCM"),
        (riff(form(7, bits=8), chunk(b"data", bytes(8))), "is coded as mu-law (format 0x0007)"),
        (riff(form(0xFFFE, bits=32, more=extensible(32, 3)), chunk(b"data", bytes(8))), "is coded as floating point"),
        (
            riff(form(0xFFFE, more=extensible(16, 1, "00" * 14)), chunk(b"data", bytes(8))),
            "coded as another codec (format 0xfffe)",
        ),
        (riff(form(0x1234), chunk(b"data", bytes(8))), "is coded as another codec (format 0x1234)"),
    ],
)
def test_what_is_no_whole_wav_file_of_whole_numbers_is_refused(raw, said):
    assert said in refused(raw)


def test_a_file_is_read_as_its_bytes_are(tmp_path):
    (tmp_path / "clip.wav").write_bytes(to_wav([16384, -8192], rate=11025))
    samples, rate = wav.read(tmp_path / "clip.wav")
    assert (samples.tolist(), rate) == ([0.5, -0.25], 11025)


@pytest.mark.parametrize("name", ["absent.wav", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path, name):
    with pytest.raises(ConfigError, match=r"^task\.path: .* cannot be read \(.*\)$"):
        wav.read(tmp_path / name)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_bytes_are_read_or_refused_and_never_a_traceback(data):
    raw = bytearray(to_wav(range(-4, 4), channels=2))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(0, len(raw)))] + data.draw(st.binary(max_size=8))
    try:
        samples, said = wav.parse(bytes(raw), "x")[0], ""
    except ConfigError as error:
        samples, said = np.zeros(1), str(error)
    assert np.abs(samples).max() <= 1
    assert "\n" not in said
