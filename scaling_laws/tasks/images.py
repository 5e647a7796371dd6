"""Pictures and their classes: digits, fashion_mnist, IDX files, or a folder of pictures for each class."""

import gzip
import io
import zlib
from pathlib import Path

import numpy as np

from scaling_laws.config import ConfigError, TaskConfig
from scaling_laws.spec import Spec
from scaling_laws.tasks import classes, examples, mnist, pictures, targets
from scaling_laws.tasks.pictures import Pictures
from scaling_laws.tasks.sklearn_files import sklearn_file
from scaling_laws.tasks.task import Task

DIGITS, FASHION = "digits", "fashion_mnist"
DIGITS_COUNT, DIGITS_SIDE, DIGITS_WHITE = 1797, 8, 16
CHUNK = 1024


def load(config: TaskConfig, cache_dir: Path) -> Task:
    """The pictures that `config.path` names, split; nothing is kept under `cache_dir`.

    Inputs are uint8 (n, H, W, C), targets int32 (n,). Fixed `mean` and `scale`, float32 (C,): of the train split's
    pixels with `config.standardise`, else 0 and one over the value of white. Raises ConfigError for what cannot be
    read and for a loss of numbers.
    """
    targets.check_loss(config, "cross_entropy")
    found = _read(config.path)
    parts = examples.split(found.inputs, found.targets, config, found.official)
    channels = found.inputs.shape[3]
    if config.standardise:
        mean, scale = moments(parts["train"]["inputs"])
    else:
        mean, scale = np.zeros(channels, np.float32), np.full(channels, 1 / found.brightest, np.float32)
    official = () if found.official is None else (found.official,)
    return Task(
        name=config.name,
        spec=Spec("image", found.inputs.shape[1:], len(found.names)),
        train=parts["train"],
        valid=parts["valid"],
        heldout=parts["heldout"],
        content_hash=examples.content_hash(found.inputs, found.targets, *official),
        fixed={"mean": mean, "scale": scale} | examples.weights(config, parts["train"]["targets"], len(found.names)),
        notes=(classes.note(found.names), *found.notes),
    )


def moments(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`mean` and `scale` (one over the deviation; 1 for a constant), float32 (C,), over `pixels` (n, H, W, C) uint8.

    From a histogram, for 70,000 images as numbers of eight bytes would take gigabytes.
    """
    counts = np.zeros((pixels.shape[3], 256))
    for start in range(0, len(pixels), CHUNK):
        for channel, row in enumerate(counts):
            row += np.bincount(pixels[start : start + CHUNK, :, :, channel].ravel(), minlength=256)
    shares, values = counts / counts.sum(axis=1, keepdims=True), np.arange(256.0)
    mean = shares @ values
    deviation = np.sqrt((shares * (values - mean[:, None]) ** 2).sum(axis=1))
    scale = 1 / np.where(deviation > 0, deviation, 1)
    return mean.astype(np.float32), scale.astype(np.float32)


def _read(path: str) -> Pictures:
    if path in ("", DIGITS):
        return digits()
    if path == FASHION:
        return mnist.fashion()
    place = classes.folder(path, _allowed(), (DIGITS, FASHION))
    return mnist.read(place) if mnist.is_folder(place) else pictures.read(place)


def _allowed() -> str:
    return f"{DIGITS}, {FASHION}, a folder of IDX files, a folder with a sub-folder of pictures for each class"


def digits() -> Pictures:
    """The 1,797 handwritten digits that scikit-learn ships: 8 x 8, grey, 0 to 16, ten classes.

    Alpaydin, Kaynak, "Optical recognition of handwritten digits" (UCI repository, 1998), its test part. Raises
    ConfigError where scikit-learn is not installed or its file is damaged.
    """
    raw = sklearn_file("digits.csv.gz", DIGITS)
    try:
        rows = np.loadtxt(io.BytesIO(gzip.decompress(raw)), np.uint8, delimiter=",", ndmin=2)
        inputs = rows[:, :-1].reshape(DIGITS_COUNT, DIGITS_SIDE, DIGITS_SIDE, 1)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ConfigError(f"task.path: {DIGITS}, scikit-learn's digits.csv.gz, is damaged ({error})") from None
    return Pictures(inputs, rows[:, -1].astype(np.int32), tuple(map(str, range(10))), brightest=DIGITS_WHITE)
