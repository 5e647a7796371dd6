"""Log-mel pictures against scipy's short-time Fourier transform and against the formula, value by value."""

import math

import numpy as np
import pytest
from scipy import signal

from scaling_laws.tasks import mel

RATES = [4000, 8000, 11025, 16000, 44100]


def noise(rate, clips=2, seconds=0.2):
    return np.random.default_rng(rate).uniform(-1, 1, (clips, round(seconds * rate))).astype(np.float32)


@pytest.mark.parametrize("rate", RATES)
def test_log_mel_is_scipys_stft_through_the_filterbank(rate):
    clips, window, hop = noise(rate), round(0.025 * rate), round(0.010 * rate)
    _, _, spectrum = signal.stft(
        clips.astype(float),
        rate,
        window="hann",
        nperseg=window,
        noverlap=window - hop,
        nfft=mel.fft_length(rate),
        boundary=None,
        padded=False,
        scaling="spectrum",
    )
    power = np.abs(spectrum * signal.get_window("hann", window).sum()) ** 2
    expected = np.log(np.einsum("bf,nft->ntb", mel.filterbank(rate), power) + 1e-6)
    found = mel.log_mel(clips, rate)
    assert found.dtype == np.float32
    assert found.shape == (2, mel.frame_count(clips.shape[1], rate), 32)
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_one_frame_by_the_formula_value_by_value():
    rate, window, padded = 8000, 200, 256
    clip = noise(rate)[0]
    start = 3 * 80
    frame = [clip[start + k] * (0.5 - 0.5 * math.cos(2 * math.pi * k / window)) for k in range(window)]
    power = []
    for f in range(padded // 2 + 1):
        total = sum(
            x * complex(math.cos(2 * math.pi * f * k / padded), -math.sin(2 * math.pi * f * k / padded))
            for k, x in enumerate(frame)
        )
        power.append(abs(total) ** 2)
    top = 2595 * math.log10(1 + 4000 / 700)
    corner = [700 * (10 ** (top * k / 33 / 2595) - 1) for k in range(34)]
    expected = []
    for low, peak, high in zip(corner[:-2], corner[1:-1], corner[2:], strict=True):
        energy = 0.0
        for f, value in enumerate(power):
            hertz = f * rate / padded
            if low < hertz <= peak:
                energy += value * (hertz - low) / (peak - low)
            elif peak < hertz < high:
                energy += value * (high - hertz) / (high - peak)
        expected.append(math.log(energy + 1e-6))
    np.testing.assert_allclose(mel.log_mel(clip[None], rate)[0, 3], expected, atol=2e-4)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("band", [3, 10, 20, 30])
def test_a_pure_tone_is_loudest_in_the_band_around_it(rate, band):
    top = 2595 * math.log10(1 + rate / 2 / 700)
    tone = 700 * (10 ** (top * (band + 1) / 33 / 2595) - 1)  # the peak of the band
    clip = np.sin(2 * np.pi * tone * np.arange(rate // 5) / rate).astype(np.float32)
    assert set(mel.log_mel(clip[None], rate)[0].argmax(axis=1)) == {band}


def test_known_points_of_the_mel_scale():
    assert mel.mels(1000) == pytest.approx(1000, abs=0.1)  # as the scale is anchored
    assert mel.mels(700) == pytest.approx(2595 * math.log10(2))
    assert mel.hertz(np.array([0, 1000.0])).tolist() == pytest.approx([0, 1000], abs=0.1)


@pytest.mark.parametrize("rate", [*RATES, 22050, 48000, 96000, 192000])
def test_no_band_is_empty_and_neighbours_share_all_power_between_them(rate):
    bank = mel.filterbank(rate)
    assert (bank.max(axis=1) > 0).all()
    corners = mel.hertz(np.linspace(0, mel.mels(rate / 2), 34))
    frequencies = np.linspace(0, rate / 2, bank.shape[1])
    between = (frequencies >= corners[1]) & (frequencies <= corners[-2])
    np.testing.assert_allclose(bank[:, between].sum(axis=0), 1, atol=1e-5)


def test_silence_is_the_floor():
    np.testing.assert_allclose(mel.log_mel(np.zeros((1, 400), np.float32), 8000), math.log(1e-6), rtol=1e-6)


def test_a_clip_of_one_window_has_one_frame():
    assert [mel.frame_count(samples, 8000) for samples in (200, 279, 280, 4000)] == [1, 1, 2, 48]
