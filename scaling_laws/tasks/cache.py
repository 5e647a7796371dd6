"""Tokens kept on disk: arrays and the tokenizer they come from, with checksums, written atomically.

An entry is a folder named by a hash of everything it was made from: `tokenizer.json`, one `.npy` a split and, written
last, `manifest.json` with the SHA-256 of each. Two processes that build the same entry write the same bytes.
"""

import hashlib
import io
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

MANIFEST = "manifest.json"
TOKENIZER = "tokenizer.json"


class Damaged(ValueError):
    """An entry that is there but not as it was written; the message says what and where."""


def load(folder: Path, splits: Sequence[str]) -> tuple[str, dict[str, np.ndarray]] | None:
    """(tokenizer definition, split -> tokens), or None where there is no entry. Raises Damaged."""
    try:
        sums = json.loads((folder / MANIFEST).read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise Damaged(f"{folder / MANIFEST} ({error})") from None
    if not isinstance(sums, dict) or set(sums) != {TOKENIZER, *(f"{name}.npy" for name in splits)}:
        raise Damaged(f"{folder / MANIFEST} (not the checksums of this entry)")
    contents = {name: _checked(folder / name, digest) for name, digest in sums.items()}
    definition = contents.pop(TOKENIZER).decode()
    return definition, {Path(name).stem: _array(folder / name, raw) for name, raw in contents.items()}


def save(folder: Path, definition: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes an entry. Raises OSError where the disk refuses."""
    contents = {TOKENIZER: definition.encode()} | {f"{name}.npy": _npy(array) for name, array in arrays.items()}
    sums = {name: hashlib.sha256(raw).hexdigest() for name, raw in contents.items()}
    folder.mkdir(parents=True, exist_ok=True)
    for name, raw in contents.items():
        _write(folder / name, raw)
    _write(folder / MANIFEST, json.dumps(sums, indent=1, sort_keys=True).encode())


def _checked(file: Path, digest: str) -> bytes:
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise Damaged(f"{file} ({error.strerror})") from None
    if hashlib.sha256(raw).hexdigest() != digest:
        raise Damaged(f"{file} (wrong checksum)")
    return raw


def _array(file: Path, raw: bytes) -> np.ndarray:
    try:
        array = np.load(io.BytesIO(raw), allow_pickle=False)
    except ValueError as error:
        raise Damaged(f"{file} ({error})") from None
    array.flags.writeable = False
    return array


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _write(file: Path, raw: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(raw)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, file)
    except BaseException:
        os.unlink(temporary)
        raise
