"""Digits against scikit-learn's loader, moments against numpy's own, and which path leads where."""

import gzip
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from image_tasks import load, rows, write_pictures

from scaling_laws.config import ConfigError
from scaling_laws.tasks import images, sklearn_files
from scaling_laws.tasks.task import SPLITS


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    theirs, ours = load_digits(), images.digits()
    np.testing.assert_array_equal(ours.inputs[..., 0], theirs.images)
    np.testing.assert_array_equal(ours.targets, theirs.target)
    assert (
        rows(load("digits"))
        == rows(load())
        == sorted((x.tobytes(), int(y)) for x, y in zip(theirs.images.astype(np.uint8), theirs.target, strict=True))
    )


def test_digits_are_read_without_importing_scikit_learn_or_pillow():
    code = (
        "import sys; from scaling_laws.tasks import images; images.digits(); "
        "print([name for name in ('sklearn', 'scipy', 'PIL', 'jax') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_what_a_model_must_know_of_digits():
    task = load()
    assert (task.spec.inputs, task.spec.shape, task.spec.outputs, task.spec.loss) == (
        "image",
        (8, 8, 1),
        10,
        "cross_entropy",
    )
    assert task.notes == ("classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9",)
    for split in SPLITS:
        part = task.split(split)
        assert (part["inputs"].dtype, part["targets"].dtype) == (np.uint8, np.int32)
        assert not part["inputs"].flags.writeable
    assert set(task.fixed) == {"mean", "scale"}


def test_no_package_no_digits_in_one_line(monkeypatch):
    monkeypatch.setattr(sklearn_files.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        ConfigError, match=r"^task\.path: digits needs the package scikit-learn, which is not installed"
    ):
        load()


@pytest.mark.parametrize(
    "raw",
    [gzip.compress(b"1,2\n3"), gzip.compress(b"0,0"), b"\x1f\x8bdamage"],
    ids=["ragged", "too short", "no gzip"],  # what is compressed has the second in it, and so would the test's name
)
def test_a_damaged_file_of_digits_is_refused(monkeypatch, raw):
    monkeypatch.setattr(images, "sklearn_file", lambda *_: raw)
    with pytest.raises(ConfigError, match=r"^task\.path: digits, scikit-learn's digits\.csv\.gz, is damaged \(.*\)$"):
        load()


@settings(max_examples=50, deadline=None)
@given(arrays.arrays(np.uint8, st.tuples(*[st.integers(1, 5)] * 3, st.sampled_from([1, 3]))))
def test_moments_are_those_of_numpy(pixels):
    mean, scale = images.moments(pixels)
    flat = pixels.reshape(-1, pixels.shape[3]).astype(float)
    deviation = flat.std(axis=0)
    np.testing.assert_allclose(mean, flat.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(scale, 1 / np.where(deviation > 0, deviation, 1), rtol=1e-6)
    assert mean.dtype == scale.dtype == np.float32


def test_moments_of_more_than_a_chunk_are_those_of_numpy():
    pixels = np.random.default_rng(0).integers(0, 256, (2 * images.CHUNK + 7, 2, 2, 3), np.uint8)
    np.testing.assert_allclose(images.moments(pixels)[0], pixels.mean(axis=(0, 1, 2)), rtol=1e-6)


def test_standardised_train_pixels_have_mean_0_and_deviation_1():
    task = load()
    values = (task.train["inputs"] - task.fixed["mean"]) * task.fixed["scale"]
    assert abs(values.mean()) < 1e-5
    assert values.std() == pytest.approx(1, abs=1e-5)


def test_without_standardising_black_is_0_and_white_is_1(tmp_path):
    plain = load(standardise=False).fixed
    assert (plain["mean"].tolist(), plain["scale"].tolist()) == ([0], [1 / 16])
    write_pictures(tmp_path, colour=True)
    assert load(tmp_path, standardise=False).fixed["scale"].tolist() == [np.float32(1 / 255)] * 3


def test_balance_gives_each_class_of_the_train_split_the_same_weight():
    task = load(balance=True)
    counts = np.bincount(task.train["targets"], minlength=10)
    np.testing.assert_allclose(counts * task.fixed["class_weights"], len(task.train["targets"]) / 10, rtol=1e-5)


def test_folds_hold_out_every_digit_once():
    parts = [load(folds=4, fold=fold).heldout["inputs"] for fold in range(4)]
    assert sorted(x.tobytes() for part in parts for x in part) == sorted(x.tobytes() for x in images.digits().inputs)


def test_a_loss_of_numbers_is_refused():
    with pytest.raises(ConfigError, match=r"^task\.loss: squared_error; allowed: auto, cross_entropy with"):
        load(loss="squared_error")
    assert load(loss="cross_entropy").spec.is_classification


def test_paths_that_lead_nowhere_are_refused(tmp_path):
    with pytest.raises(
        ConfigError, match=r"has 0 sub-folders; allowed: two or more, one for each class, with pictures"
    ):
        load(tmp_path)
    write_pictures(tmp_path / "one", names=("cat",))
    with pytest.raises(ConfigError, match=r"one has 1 sub-folders; allowed: two or more"):
        load(tmp_path / "one")
    with pytest.raises(
        ConfigError, match=r"^task\.path: .*0\.png is no folder; allowed: digits, fashion_mnist, a folder"
    ):
        load(tmp_path / "one" / "cat" / "0.png")
    with pytest.raises(ConfigError, match=r"^task\.path: 'digit' does not exist; .*; did you mean digits\?$"):
        load("digit")
    with pytest.raises(ConfigError, match=r"^task\.path: .*does not exist"):
        load("a\0b")
