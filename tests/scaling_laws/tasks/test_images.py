"""Images against scikit-learn's loader and numpy's own moments, and how they are split and refused."""

import gzip
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from idx_files import to_idx
from PIL import Image

from scaling_laws.config import ConfigError, TaskConfig
from scaling_laws.tasks import classes, images, mnist, sklearn_files
from scaling_laws.tasks.task import SPLITS


def load(path="", **settings):
    return images.load(TaskConfig(name="images", path=str(path), **settings), cache_dir=None)


def joined(task, name="inputs"):
    return np.concatenate([task.split(split)[name] for split in SPLITS])


def rows(task):
    """Examples of all splits as a sorted list, so that order and split do not matter."""
    return sorted((x.tobytes(), int(y)) for x, y in zip(joined(task), joined(task, "targets"), strict=True))


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


@pytest.mark.parametrize("raw", [gzip.compress(b"1,2\n3"), gzip.compress(b"0,0"), b"\x1f\x8bdamage"])
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


def write_pictures(folder, names=("cat", "dog"), each=6, suffix="png", colour=False, size=(5, 4)):
    """Pictures of random pixels; (class, pixels) of each in the order of their names."""
    written, rng = [], np.random.default_rng(0)
    for target, name in enumerate(names):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            pixels = rng.integers(0, 256, (size[1], size[0], 3 if colour else 1), np.uint8)
            picture = Image.fromarray(pixels if colour else pixels[..., 0])
            picture.save(folder / name / f"{number}.{suffix}")
            written.append((target, pixels))
    return written


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif", "PNG"])
def test_pictures_without_loss_are_read_as_they_were_written(tmp_path, suffix):
    written = write_pictures(tmp_path, suffix=suffix)
    task = load(tmp_path)
    assert rows(task) == sorted((pixels.tobytes(), target) for target, pixels in written)
    assert task.spec.shape == (4, 5, 1)
    assert task.notes == ("classes: 0 cat, 1 dog",)


def test_colours_are_kept_and_a_grey_picture_among_them_gets_three_channels(tmp_path):
    written = write_pictures(tmp_path, colour=True)
    grey = np.full((4, 5), 7, np.uint8)
    Image.fromarray(grey).save(tmp_path / "dog" / "9.png")
    task = load(tmp_path)
    expected = [(pixels.tobytes(), target) for target, pixels in written] + [(bytes([7] * 60), 1)]
    assert rows(task) == sorted(expected)
    assert task.spec.shape == (4, 5, 3)


def test_grey_pixels_in_files_of_colour_are_grey(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(5):
            pixels = rng.integers(0, 256, (4, 5, 1), np.uint8).repeat(3, axis=2)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    assert load(tmp_path).spec.shape == (4, 5, 1)


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_one_channel_that_differs_is_a_colour(tmp_path, channel):
    write_pictures(tmp_path)
    pixels = np.full((4, 5, 3), 8, np.uint8)
    pixels[2, 1, channel] = 9
    Image.fromarray(pixels).save(tmp_path / "dog" / "9.png")
    assert load(tmp_path).spec.shape == (4, 5, 3)


def test_jpeg_is_near_what_was_written(tmp_path):
    ramp = np.arange(0, 256, 4, dtype=np.uint8).reshape(8, 8)
    for name, turned in (("down", ramp), ("up", 255 - ramp)):
        (tmp_path / name).mkdir()
        for number in range(4):
            Image.fromarray(np.minimum(turned, 250) + np.uint8(number)).save(
                tmp_path / name / f"{number}.jpeg", quality=95
            )
    task = load(tmp_path)
    means = {target: int(joined(task)[joined(task, "targets") == target][:, 0].mean()) for target in (0, 1)}
    assert means[0] == pytest.approx(14 + 1.5, abs=3)
    assert means[1] == pytest.approx(255 - 14 + 1.5 - 1, abs=4)


def test_the_first_frame_of_a_gif_is_taken(tmp_path):
    write_pictures(tmp_path, suffix="gif")
    frames = [Image.fromarray(np.full((4, 5), value, np.uint8)) for value in (9, 200)]
    frames[0].save(tmp_path / "dog" / "moves.gif", save_all=True, append_images=frames[1:])
    found = {x[0] for x in rows(load(tmp_path))}
    assert bytes([9] * 20) in found
    assert bytes([200] * 20) not in found


def test_hidden_files_are_passed_over_and_others_are_counted(tmp_path):
    written = write_pictures(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / "readme.txt").write_text("about")
    (tmp_path / "cat" / ".DS_Store").write_bytes(b"x")
    (tmp_path / "dog" / "notes.txt").write_text("x")
    (tmp_path / "dog" / "folder.png").mkdir()
    task = load(tmp_path)
    assert len(rows(task)) == len(written)
    assert task.notes[1] == "2 files or folders left out, not pictures by their names: dog/folder.png, dog/notes.txt"


def no_picture(folder):
    (folder / "cat" / "3.png").write_text("no picture")


def cut_short(folder):
    file = folder / "cat" / "3.png"
    file.write_bytes(file.read_bytes()[:-30])


def odd_size(folder):
    Image.fromarray(np.zeros((4, 6), np.uint8)).save(folder / "dog" / "2.png")


def deep(folder):
    Image.fromarray(np.zeros((4, 5), np.uint16)).save(folder / "dog" / "2.png")


def too_wide(folder):
    Image.new("L", (5000, 1)).save(folder / "dog" / "2.png")


def other_format(folder):
    Image.new("L", (5, 4)).save(folder / "dog" / "2.png", format="TIFF")


def empty_class(folder):
    (folder / "emu").mkdir()


def pipe(folder):
    os.mkfifo(folder / "dog" / "z.png")


def dangling(folder):
    (folder / "dog" / "z.png").symlink_to(folder / "nowhere.png")


@pytest.mark.parametrize(
    "harm, said",
    [
        (no_picture, r"cat/3\.png cannot be read as a picture \(not PNG, JPEG, BMP, GIF, or damaged\)$"),
        (cut_short, r"cat/3\.png cannot be read as a picture \(.*\)"),
        (odd_size, r"dog/2\.png has 6 x 4 pixels, .*cat/0\.png has 5 x 4; allowed: pictures of one size$"),
        (deep, r"dog/2\.png has more than 8 bits a channel \(I;16\); allowed: 8$"),
        (too_wide, r"dog/2\.png has 5000 x 1 pixels; allowed: at most 4096 a side$"),
        (other_format, r"dog/2\.png cannot be read as a picture"),
        (empty_class, r"emu holds no pictures; allowed: one or more \(\.png, .*\) for each class$"),
        (dangling, r"dog/z\.png cannot be read as a picture \(No such file or directory\)$"),
        (pipe, r"dog/z\.png cannot be read as a picture \(Neither a file nor a folder\)$"),
    ],
)
def test_the_first_picture_that_does_not_fit_is_named(tmp_path, harm, said):
    write_pictures(tmp_path)
    harm(tmp_path)
    with pytest.raises(ConfigError, match=f"^task\\.path: .*{said}"):
        load(tmp_path)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_picture_is_read_or_refused_in_one_line(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damaged")
    suffix = data.draw(st.sampled_from(["png", "bmp", "gif", "jpg"]))
    write_pictures(folder, suffix=suffix, each=3)
    file = folder / "cat" / f"1.{suffix}"
    raw = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(raw[: data.draw(st.integers(0, len(raw)))])
    try:
        said = load(folder).notes[0]
    except ConfigError as error:
        said = str(error)
    assert "\n" not in said


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


def test_a_class_with_an_unprintable_name_keeps_the_note_in_one_line(tmp_path):
    write_pictures(tmp_path, names=("a\nb", "dog"))
    assert load(tmp_path).notes == ("classes: 0 'a\\nb', 1 dog",)


def test_a_note_names_a_hundred_classes():
    said = classes.note([f"c{number}" for number in range(101)])
    assert said.startswith("classes: 0 c0, 1 c1, ")
    assert said.endswith(", 99 c99, ...")
