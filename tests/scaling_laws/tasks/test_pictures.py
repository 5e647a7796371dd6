"""Folders of pictures against what was written into them, and the first file that does not fit."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from image_tasks import joined, load, rows, write_pictures
from PIL import Image

from scaling_laws.config import ConfigError


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


def test_a_class_with_an_unprintable_name_keeps_the_note_in_one_line(tmp_path):
    write_pictures(tmp_path, names=("a\nb", "dog"))
    assert load(tmp_path).notes == ("classes: 0 'a\\nb', 1 dog",)
