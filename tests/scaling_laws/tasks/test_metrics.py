"""Losses and what they mean, against hand-computed numbers and known distributions."""

import math

import numpy as np
import pytest

from scaling_laws.config import TaskConfig
from scaling_laws.tasks import text
from scaling_laws.tasks.metrics import bits_per_byte, compressor_bits_per_byte, loss_and_se


def test_mean_and_error_by_hand():
    assert loss_and_se(np.array([1.0, 2.0, 3.0, 6.0])) == pytest.approx((3.0, math.sqrt(14 / 3) / 2))
    mean, error = loss_and_se(np.array([1.0, 4.0]), np.array([3.0, 1.0]))
    assert mean == pytest.approx(1.75)
    assert error == pytest.approx(math.sqrt(2 * ((0.75 * 0.75) ** 2 + (0.25 * 2.25) ** 2)))


def test_scale_of_the_weights_does_not_matter():
    losses, weights = np.random.default_rng(0).random((2, 20))
    assert loss_and_se(losses, weights) == pytest.approx(loss_and_se(losses, 17 * weights))
    assert loss_and_se(losses) == pytest.approx(loss_and_se(losses, np.full(20, 0.3)))


@pytest.mark.parametrize("weighted", [False, True])
def test_error_covers_the_truth(weighted):
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(1000):
        losses = rng.normal(2.0, 0.3, 80)
        mean, error = loss_and_se(losses, rng.uniform(0.5, 1.5, 80) if weighted else None)
        hits += abs(mean - 2.0) < 1.96 * error
    assert 0.92 < hits / 1000 < 0.97


def test_one_window_has_no_error():
    mean, error = loss_and_se(np.array([2.5], np.float32))
    assert mean == 2.5
    assert math.isnan(error)


@pytest.mark.parametrize(
    "losses, weights", [([], None), ([1.0, 2.0], [1.0]), ([[1.0]], None), ([1.0], [0.0]), ([1.0, 2.0], [2.0, -1.0])]
)
def test_bad_windows_are_refused(losses, weights):
    with pytest.raises(ValueError, match="allowed:"):
        loss_and_se(np.array(losses), weights)


def test_bits_per_byte():
    assert bits_per_byte(math.log(256), 1000, 1000) == pytest.approx(8.0)
    assert bits_per_byte(math.log(65536), 500, 1000) == pytest.approx(8.0)
    with pytest.raises(ValueError, match="n_bytes: 0"):
        bits_per_byte(1.0, 1, 0)


def test_compressors_on_noise_and_on_nothing_new():
    noise = np.random.default_rng(2).integers(0, 256, 20000, dtype=np.uint8).tobytes()
    assert compressor_bits_per_byte(noise) == pytest.approx({"gzip": 8.0, "xz": 8.0}, abs=0.05)
    assert max(compressor_bits_per_byte(b"again " * 5000).values()) < 0.1
    with pytest.raises(ValueError, match="no bytes"):
        compressor_bits_per_byte(b"")


def test_compressors_on_text():
    found = compressor_bits_per_byte(text.raw_bytes(TaskConfig(), "heldout"))
    assert found == pytest.approx({"gzip": 2.715, "xz": 2.149}, abs=0.02)


@pytest.mark.slow
def test_compressors_on_the_whole_corpus():
    found = compressor_bits_per_byte(text.raw_bytes(TaskConfig()))
    assert found == pytest.approx({"gzip": 2.67, "xz": 1.83}, abs=0.02)
