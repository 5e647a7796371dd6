"""Data sets in MNIST's form: four IDX files, images and labels of a training set and of a test set.

LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition" (1998); Xiao, Rasul,
Vollgraf, "Fashion-MNIST" (2017, arXiv:1708.07747).
"""

import os
from pathlib import Path

import numpy as np

from scaling_laws.config import ConfigError
from scaling_laws.tasks import idx
from scaling_laws.tasks.pictures import Pictures

FASHION = Path("/usr/share/datasets/fashion-mnist")
FASHION_PACKAGE = "dataset-fashion-mnist"
CLOTHES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
TRAIN, TEST = "train", "t10k"
IMAGES, LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"


def is_folder(place: Path) -> bool:
    """Whether there is a file in the folder `place` with one of the four names."""
    return any(_find(place, part, kind) for part in (TRAIN, TEST) for kind in (IMAGES, LABELS))


def fashion() -> Pictures:
    """Fashion-MNIST as its Debian package installs it: 28 x 28, grey, 60,000 and 10,000 official test images.

    Raises ConfigError where it is not installed.
    """
    if not FASHION.is_dir():
        raise ConfigError(
            f"task.path: fashion_mnist needs the Debian package {FASHION_PACKAGE}, which is not installed; allowed: "
            "to install it, or to give a folder with the four IDX files"
        )
    return read(FASHION, CLOTHES)


def read(place: Path, names: tuple[str, ...] = ()) -> Pictures:
    """The IDX files in a folder, plain (read first where there are both) or .gz, with `-` or `.` before `idx`.

    Images are (n, H, W) or (n, H, W, C) with C of 1 or 3, bytes; labels (n,), whole numbers from 0. The `t10k` pair
    is optional; its images are the official test set. `names` of the classes: by default their numbers, up to the
    largest label of the train pair. Raises ConfigError, naming the file, for a pair that lacks one, for images and
    labels that do not fit each other, and for labels that are no classes.
    """
    images, labels, file = _pair(place, TRAIN)
    names = names or tuple(str(number) for number in range(_count(labels, file)))
    _check(labels, names, file)
    if not any(_find(place, TEST, kind) for kind in (IMAGES, LABELS)):
        return Pictures(images, labels.astype(np.int32), names)
    more, more_labels, file = _pair(place, TEST)
    if more.shape[1:] != images.shape[1:]:
        sizes = [" x ".join(map(str, array.shape[1:])) for array in (more, images)]
        raise ConfigError(f"task.path: {place} has {TEST} images of {sizes[0]}; allowed: {sizes[1]}, as {TRAIN} has")
    _check(more_labels, names, file)
    official = np.arange(len(images) + len(more)) >= len(images)
    targets = np.concatenate([labels, more_labels]).astype(np.int32)
    return Pictures(np.concatenate([images, more]), targets, names, official=official)


def _find(place: Path, part: str, kind: str) -> Path | None:
    names = [f"{part}-{kind}", f"{part}-{kind.replace('-idx', '.idx')}"]
    for name in [*names, *(f"{name}.gz" for name in names)]:
        if os.path.exists(place / name):
            return place / name
    return None


def _pair(place: Path, part: str) -> tuple[np.ndarray, np.ndarray, Path]:
    """Images (n, H, W, C), labels (n,), and the file of the labels."""
    found = []
    for kind in (IMAGES, LABELS):
        file = _find(place, part, kind)
        if file is None:
            raise ConfigError(f"task.path: {place} has no {part}-{kind}; allowed: images and labels, plain or .gz")
        found.append(file)
    images, labels = _images(found[0]), idx.read(found[1])
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ConfigError(
            f"task.path: {found[1]} holds {labels.ndim} dimensions of {labels.dtype}; allowed: whole numbers in a row"
        )
    if len(labels) != len(images):
        raise ConfigError(
            f"task.path: {found[1]} holds {len(labels)} labels; allowed: {len(images)}, one for each of {found[0].name}"
        )
    return images, labels, found[1]


def _images(file: Path) -> np.ndarray:
    images = idx.read(file)
    channels = images.shape[3:] or (1,)
    if images.dtype != np.uint8 or images.ndim < 3 or channels not in ((1,), (3,)):
        shape = " x ".join(map(str, images.shape))
        raise ConfigError(
            f"task.path: {file} holds {shape} of {images.dtype}; allowed: bytes, images x height x width, with 3 "
            "channels at the end or none"
        )
    return images.reshape(*images.shape[:3], *channels)


def _count(labels: np.ndarray, file: Path) -> int:
    """Classes by the largest label. A label is no class where there would be more of them than examples."""
    largest = int(labels.max())
    if not 1 <= largest < len(labels):
        raise ConfigError(
            f"task.path: {file} has {largest} as its largest label of {len(labels)}; allowed: two classes or more, "
            "numbered from 0, and fewer than examples"
        )
    return largest + 1


def _check(labels: np.ndarray, names: tuple[str, ...], file: Path) -> None:
    wrong = np.flatnonzero((labels < 0) | (labels >= len(names)))
    if len(wrong):
        raise ConfigError(
            f"task.path: {file} has the label {labels[wrong[0]]} at example {wrong[0] + 1}; allowed: 0 to "
            f"{len(names) - 1}"
        )
