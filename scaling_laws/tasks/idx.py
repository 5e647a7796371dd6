"""IDX files, the format of MNIST, plain or gzipped.

Two zero bytes, a type code, the number of dimensions, each dimension as four bytes, then the values in row-major
order; everything is big-endian (LeCun, Cortes, Burges: "The MNIST database of handwritten digits").
"""

import gzip
import io
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from scaling_laws.config import ConfigError
from scaling_laws.disk import read_file

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MOST_DIMENSIONS = 8
MOST_BYTES = 1 << 32
MOST_DEFLATED = 1032  # bytes that one byte of a gzip file can stand for, at most (zlib's technical notes)
GZIP = b"\x1f\x8b"


def read(file: Path) -> np.ndarray:
    """The array in an IDX file, read-only, in the machine's byte order; gzip is known by its first bytes.

    Raises ConfigError, naming the file and the byte, for what cannot be read or is no whole IDX file.
    """
    try:
        raw = read_file(file)
    except OSError as error:
        raise ConfigError(f"task.path: {file} cannot be read ({error.strerror}); allowed: an IDX file") from None
    return parse(raw, str(file))


def parse(raw: bytes, name: str) -> np.ndarray:
    """As `read`, of a file's bytes; `name` is what errors call it."""
    if not raw.startswith(GZIP):
        return _parse(io.BytesIO(raw), len(raw), name)
    try:
        with gzip.open(io.BytesIO(raw)) as stream:
            return _parse(stream, MOST_DEFLATED * len(raw), name)
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigError(f"task.path: {name} is a damaged gzip file ({error}); allowed: a whole one") from None


def _parse(stream: io.BufferedIOBase, most: int, name: str) -> np.ndarray:
    """`most`: bytes that the stream can hold, so that nothing is set aside for dimensions that it cannot fill."""
    dtype, shape = _header(stream, name)
    size = math.prod(shape) * dtype.itemsize
    if size > MOST_BYTES:
        raise ConfigError(f"task.path: {name} claims {_times(shape)} values; allowed: at most {MOST_BYTES} bytes")
    if size <= most:
        values = stream.read(size + 1)
        if len(values) == size:
            array = np.frombuffer(values, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)
            array.flags.writeable = False
            return array
        if len(values) > size:
            raise ConfigError(
                f"task.path: {name} goes on after byte {4 + 4 * len(shape) + size}; allowed: the {_times(shape)} "
                "values of its header and no more"
            )
    raise ConfigError(f"task.path: {name} is cut short; allowed: all {_times(shape)} values of its header")


def _header(stream: io.BufferedIOBase, name: str) -> tuple[np.dtype, tuple[int, ...]]:
    magic = stream.read(4)
    if len(magic) < 4:
        raise ConfigError(f"task.path: {name} is cut short: {len(magic)} bytes; allowed: an IDX file")
    if magic[:2] != b"\0\0":
        raise ConfigError(f"task.path: {name} begins with {magic[:2].hex(' ')}; allowed: an IDX file, which has 00 00")
    code, count = magic[2:]
    if code not in TYPES:
        known = ", ".join(f"0x{known:02X}" for known in TYPES)
        raise ConfigError(f"task.path: {name} has the type code 0x{code:02X} at byte 2; allowed: {known}")
    if not 1 <= count <= MOST_DIMENSIONS:
        raise ConfigError(f"task.path: {name} has {count} dimensions at byte 3; allowed: 1 to {MOST_DIMENSIONS}")
    sizes = stream.read(4 * count)
    if len(sizes) < 4 * count:
        raise ConfigError(f"task.path: {name} is cut short in its header; allowed: {count} dimensions of 4 bytes")
    shape = struct.unpack(f">{count}I", sizes)
    if 0 in shape:
        raise ConfigError(f"task.path: {name} holds {_times(shape)} values, none; allowed: dimensions of 1 or more")
    return np.dtype(TYPES[code]), shape


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
