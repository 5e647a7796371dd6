"""Generated keywords: the same ones each time, of many speakers, told apart by the order of their vowels."""

import hashlib

import numpy as np
import pytest

from scaling_laws.tasks import keywords, mel


def clips(count, noise=0.0):
    return np.concatenate(list(keywords.clips(count, noise)))


def test_the_first_clips_of_more_are_the_same_clips():
    few, more = clips(21), clips(100)
    assert few.shape == (21, 4000)
    np.testing.assert_array_equal(few, more[:21])
    assert keywords.targets(100)[:10].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 0, 1]


def test_clips_are_those_of_this_version():
    # other bytes are another data set: runs trained on it do not compare
    assert hashlib.sha256(clips(64).tobytes()).hexdigest()[:16] == "4f6d9b1e8e33fe5b"


def test_samples_are_16_bits_and_none_is_clipped():
    whole = clips(64) * 32768
    assert whole.dtype == np.float32
    np.testing.assert_array_equal(whole, np.rint(whole))
    assert 3000 < np.abs(whole).max() < 32767


def test_no_clip_is_another():
    assert len({clip.tobytes() for clip in clips(200)}) == 200


@pytest.mark.parametrize("noise", [0.02, 0.2])
def test_noise_has_the_deviation_that_was_asked_for(noise):
    quiet = clips(64, noise)[:, -100:]  # after most words
    assert np.median(quiet.std(axis=1)) == pytest.approx(noise, rel=0.1)


def test_the_same_voices_speak_over_more_noise():
    low, high = clips(16, 1e-6), clips(16, 1e-2)
    assert (high - low).std() == pytest.approx(1e-2, rel=0.05)
    np.testing.assert_allclose(clips(16, 0.0), clips(16, keywords.NOISE))


def test_vowels_are_heard_in_the_order_of_the_word():
    """Without noise, the band of the second formant falls in `ia` and rises in `ai`."""
    bands = mel.log_mel(clips(80, 1e-6), keywords.RATE)
    for number, sign in ((0, 1), (1, -1)):
        for clip in bands[number::8]:
            heard = np.flatnonzero(clip.max(axis=1) > clip.max() - 2)
            second = clip[:, 14:].argmax(axis=1)[heard]  # above 1 kHz
            assert np.sign(second[-4:].mean() - second[:4].mean()) == sign


def test_every_speaker_is_another():
    """Words begin at many times and are of many loudnesses."""
    sound = np.abs(clips(200, 1e-6))
    begin = (sound > 1e-3).argmax(axis=1) / keywords.RATE
    assert begin.max() - begin.min() > 0.2
    loudness = sound.max(axis=1)
    assert loudness.max() / loudness.min() > 4
