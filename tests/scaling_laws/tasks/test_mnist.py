"""Folders of IDX files: what is read and held out of them, and what does not fit."""

import gzip

import numpy as np
import pytest
from idx_files import to_idx
from image_tasks import joined, load

from scaling_laws.config import ConfigError
from scaling_laws.tasks import mnist


@pytest.mark.skipif(not mnist.FASHION.is_dir(), reason="dataset-fashion-mnist is not installed")
def test_fashion_mnist_holds_out_its_official_test_set():
    task = load("fashion_mnist")
    raw = gzip.decompress((mnist.FASHION / "t10k-images-idx3-ubyte.gz").read_bytes())
    assert task.heldout["inputs"].tobytes() == raw[16:]
    assert (
        task.heldout["targets"].astype(np.uint8).tobytes()
        == gzip.decompress((mnist.FASHION / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
    )
    assert task.length("train") + task.length("valid") == 60_000
    assert np.bincount(joined(task, "targets")).tolist() == [7000] * 10
    # the published figures of this set: mean 0.2860, deviation 0.3530 of pixels over 255
    np.testing.assert_allclose(task.fixed["mean"] / 255, 0.2860, atol=2e-3)
    np.testing.assert_allclose(1 / task.fixed["scale"] / 255, 0.3530, atol=2e-3)
    assert task.notes[0].startswith("classes: 0 T-shirt/top, 1 Trouser, 2 Pullover")


def test_no_fashion_mnist_says_which_package(monkeypatch, tmp_path):
    monkeypatch.setattr(mnist, "FASHION", tmp_path / "absent")
    with pytest.raises(ConfigError, match=r"^task\.path: fashion_mnist needs the Debian package dataset-fashion-mnist"):
        load("fashion_mnist")


def write_idx(folder, parts=("train", "t10k"), mark="-", zipped=False, **changes):
    """20 training and 6 test images of 3 x 4 with labels 0, 1, 2, ..., or what `changes` has for a file."""
    arrays, rng = {}, np.random.default_rng(0)
    for part, n in (("train", 20), ("t10k", 6)):
        if part in parts:
            arrays[f"{part}_images"] = rng.integers(0, 256, (n, 3, 4), np.uint8)
            arrays[f"{part}_labels"] = (np.arange(n) % 3).astype(np.uint8)
    for name, array in (arrays | changes).items():
        if array is not None:
            part, kind = name.split("_")
            raw = to_idx(array)
            name = f"{part}-{kind}{mark}idx{3 if kind == 'images' else 1}-ubyte"
            (folder / f"{name}.gz" if zipped else folder / name).write_bytes(gzip.compress(raw) if zipped else raw)
    return arrays | changes


@pytest.mark.parametrize("mark", ["-", "."])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_folder_of_idx_files_under_any_of_its_usual_names(tmp_path, mark, zipped):
    there = write_idx(tmp_path, mark=mark, zipped=zipped)
    task = load(tmp_path)
    np.testing.assert_array_equal(task.heldout["inputs"][..., 0], there["t10k_images"])
    np.testing.assert_array_equal(task.heldout["targets"], there["t10k_labels"])
    assert task.length("train") + task.length("valid") == 20
    assert task.spec.shape == (3, 4, 1)
    assert task.notes == ("classes: 0, 1, 2",)


def test_without_a_test_pair_the_held_out_split_is_a_share(tmp_path):
    there = write_idx(tmp_path, parts=("train",))
    task = load(tmp_path)
    assert task.length("heldout") == 2
    assert sorted(x.tobytes() for x in joined(task)) == sorted(x.tobytes() for x in there["train_images"])


def test_an_image_of_the_test_set_is_not_trained_on(tmp_path):
    there = write_idx(tmp_path)
    train = there["train_images"].copy()
    train[5] = there["t10k_images"][2]
    write_idx(tmp_path, **(there | {"train_images": train}))
    task = load(tmp_path)
    assert (task.length("train") + task.length("valid"), task.length("heldout")) == (19, 6)


def test_a_test_set_changes_the_content(tmp_path):
    for name in ("whole", "joined"):
        (tmp_path / name).mkdir()
    there = write_idx(tmp_path / "whole")
    both = {
        f"train_{kind}": np.concatenate([there[f"train_{kind}"], there[f"t10k_{kind}"]])
        for kind in ("images", "labels")
    }
    write_idx(tmp_path / "joined", parts=(), **both)
    assert load(tmp_path / "whole").content_hash != load(tmp_path / "joined").content_hash


def test_colour_images_keep_their_channels(tmp_path):
    colour = np.random.default_rng(0).integers(0, 256, (20, 3, 4, 3), np.uint8)
    write_idx(tmp_path, parts=("train",), train_images=colour, train_labels=(np.arange(20) % 2).astype(np.int32))
    assert load(tmp_path).spec.shape == (3, 4, 3)


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"train_labels": None}, r"has no train-labels-idx1-ubyte; allowed: images and labels, plain or \.gz"),
        ({"train_images": None}, "has no train-images-idx3-ubyte"),
        ({"t10k_labels": None}, "has no t10k-labels-idx1-ubyte"),
        ({"train_labels": np.zeros(19, np.uint8)}, r"holds 19 labels; allowed: 20, one for each of train-images"),
        ({"train_labels": np.zeros((20, 1), np.uint8)}, "holds 2 dimensions of uint8; allowed: whole numbers in a row"),
        ({"train_labels": np.zeros(20, np.float32)}, "holds 1 dimensions of float32; allowed: whole numbers"),
        ({"train_labels": np.zeros(20, np.uint8)}, "has 0 as its largest label of 20; allowed: two classes or more"),
        ({"train_labels": np.full(20, 20, np.uint8)}, "has 20 as its largest label of 20; .* fewer than examples"),
        ({"train_labels": np.array([-1] + [1] * 19, np.int8)}, "has the label -1 at example 1; allowed: 0 to 1"),
        (
            {"t10k_labels": np.array([0, 1, 3, 1, 1, 1], np.uint8)},
            "t10k.* has the label 3 at example 3; allowed: 0 to 2",
        ),
        ({"train_images": np.zeros((20, 3, 4), np.int32)}, "holds 20 x 3 x 4 of int32; allowed: bytes"),
        ({"train_images": np.zeros((20, 12), np.uint8)}, "holds 20 x 12 of uint8; allowed: bytes, images x height"),
        ({"train_images": np.zeros((20, 3, 4, 2), np.uint8)}, "holds 20 x 3 x 4 x 2 of uint8"),
        ({"t10k_images": np.zeros((6, 4, 3), np.uint8)}, "has t10k images of 4 x 3 x 1; allowed: 3 x 4 x 1"),
        ({"train_images": np.zeros((20, 3, 4), np.uint8)}, "leave none for the .* split"),
    ],
)
def test_idx_files_that_do_not_fit_each_other_are_refused(tmp_path, changes, said):
    write_idx(tmp_path, **changes)
    with pytest.raises(ConfigError, match=f"^task\\.path: .*{said}"):
        load(tmp_path)
