"""Pictures as arrays: a folder with a sub-folder of picture files for each class."""

import dataclasses
import io
import warnings
from pathlib import Path

import numpy as np

from scaling_laws.config import ConfigError
from scaling_laws.disk import read_file
from scaling_laws.tasks import classes

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
FORMATS = ("PNG", "JPEG", "BMP", "GIF")
DEEP = ("I", "F")  # Pillow's modes of more than 8 bits a channel begin so
MOST_SIDE = 4096
MOST_BYTES = 1 << 32


@dataclasses.dataclass(frozen=True, eq=False)
class Pictures:
    """`inputs` (n, H, W, C) uint8, `targets` (n,) int32, and the `names` of the classes.

    `brightest`: the value of white. `official` (n,): true in the test set that the data come with, None without one.
    """

    inputs: np.ndarray
    targets: np.ndarray
    names: tuple[str, ...]
    brightest: int = 255
    official: np.ndarray | None = None
    notes: tuple[str, ...] = ()


def read(place: Path) -> Pictures:
    """The pictures below `place`, all of one size: nothing is resized.

    One channel where every pixel of all pictures is grey, whatever the files call it, else three, red, green, blue.
    Of several frames the first is taken; transparency is left out. Raises ConfigError, naming the file, for one that
    is no picture, of another size or of more than 8 bits a channel, and for classes as `classes.files`.
    """
    listed = classes.files(place, SUFFIXES, "pictures")
    first = _read(listed.paths[0])
    height, width = first.shape[:2]
    if 3 * height * width * len(listed.paths) > MOST_BYTES:
        raise ConfigError(
            f"task.path: {len(listed.paths)} pictures of {width} x {height} pixels in {place}; allowed: at most "
            f"{MOST_BYTES} bytes at 3 a pixel"
        )
    pixels = [first]
    for file in listed.paths[1:]:
        pixels.append(_read(file))
        if pixels[-1].shape[:2] != first.shape[:2]:
            found = f"{pixels[-1].shape[1]} x {pixels[-1].shape[0]}"
            raise ConfigError(
                f"task.path: {file} has {found} pixels, {listed.paths[0]} has {width} x {height}; allowed: pictures of "
                "one size"
            )
    channels = max(picture.shape[2] for picture in pixels)
    inputs = np.empty((len(pixels), height, width, channels), np.uint8)
    for row, picture in zip(inputs, pixels, strict=True):
        row[:] = picture  # a grey one in all three channels
    return Pictures(inputs, listed.targets, listed.names, notes=listed.notes)


def _read(file: Path) -> np.ndarray:
    """(height, width, 1) of a grey picture, (height, width, 3) of any other, uint8."""
    from PIL import Image

    try:
        raw = io.BytesIO(read_file(file))
        with warnings.catch_warnings(action="ignore"), Image.open(raw, formats=FORMATS) as picture:
            _check(file, picture.size, picture.mode)
            pixels = np.asarray(picture.convert("L" if picture.mode in ("1", "L", "LA") else "RGB"))
    except ConfigError:
        raise
    except Exception as error:  # a damaged file raises anything, from struct.error to SyntaxError
        reason = error.strerror if isinstance(error, OSError) else None
        reason = reason or f"not {', '.join(FORMATS)}, or damaged"
        raise ConfigError(f"task.path: {file} cannot be read as a picture ({reason})") from None
    if pixels.ndim == 2:
        return pixels[:, :, None]
    grey = (pixels[:, :, 0] == pixels[:, :, 1]).all() and (pixels[:, :, 0] == pixels[:, :, 2]).all()
    return pixels[:, :, :1] if grey else pixels


def _check(file: Path, size: tuple[int, int], mode: str) -> None:
    if max(size) > MOST_SIDE:
        raise ConfigError(f"task.path: {file} has {size[0]} x {size[1]} pixels; allowed: at most {MOST_SIDE} a side")
    if mode.startswith(DEEP):
        raise ConfigError(f"task.path: {file} has more than 8 bits a channel ({mode}); allowed: 8")
