"""The arrays of a checkpoint on the disk: one plain file for small states, Orbax for large ones, and a plain file of
each process where several write one state.

Orbax takes a fifth of a second a save whatever the size, too much for thousands of small runs; and of what several
processes wrote, one would have to read all back for its checksums, where each has its own at hand. None of the three
checks what it reads: that is the manifest's part, with the names, dtypes and shapes of the arrays.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scaling_laws.train.shares import Share

SMALL = 64 << 20  # bytes of all arrays together, up to which they are one file
FILE, FOLDER = "arrays.raw", "arrays"
PIECES = "pieces_"  # PROCESS.raw: bytes, one piece after another; PROCESS.json: [name, begin, shape] of each


def write(folder: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Write arrays of any dtype of NumPy or JAX below `folder`, which exists."""
    if sum(tensor.nbytes for tensor in tensors.values()) <= SMALL:
        with (folder / FILE).open("wb") as file:
            for name in sorted(tensors):
                file.write(tensors[name].tobytes())
        return
    import orbax.checkpoint as ocp  # seconds: paid by the first large checkpoint, not by every run

    ocp.PyTreeCheckpointer().save(folder / FOLDER, {name: tensor for name, tensor in tensors.items() if tensor.size})


def write_pieces(folder: Path, tensors: Mapping[str, np.ndarray | Share], process: int) -> None:
    """Write what `process` has of the arrays below `folder`: its shares, and where it is the first one what every
    process has whole."""
    stem = folder / f"{PIECES}{process:05d}"
    index: list[Any] = []
    with stem.with_suffix(".raw").open("wb") as file:
        for name in sorted(tensors):
            tensor = tensors[name]
            whole = [((0,) * tensor.ndim, tensor)] if isinstance(tensor, np.ndarray) and process == 0 else []
            for begin, values in tensor.pieces if isinstance(tensor, Share) else whole:
                file.write(values.tobytes())
                index.append([name, list(begin), list(values.shape)])
    stem.with_suffix(".json").write_text(json.dumps(index))


def read(folder: Path, expected: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays below `folder` by name; names, dtypes and shapes are those of `expected`."""
    if (folder / FILE).is_file():
        return _from_file((folder / FILE).read_bytes(), expected)
    if pieces := sorted(folder.glob(f"{PIECES}*.json")):
        return _from_pieces(pieces, expected)
    import orbax.checkpoint as ocp

    saved = [name for name, tensor in expected.items() if tensor.size]  # Orbax takes none of size zero
    as_numpy = {name: ocp.RestoreArgs(restore_type=np.ndarray) for name in saved}
    checkpointer = ocp.PyTreeCheckpointer()
    found = checkpointer.restore(folder / FOLDER, item=dict.fromkeys(saved, 0), restore_args=as_numpy)
    return {**expected, **found}


def _from_file(data: bytes, expected: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    found, at = {}, 0
    for name, tensor in sorted(expected.items()):
        flat = np.frombuffer(data, tensor.dtype, tensor.size, at) if tensor.size else tensor
        found[name] = flat.reshape(tensor.shape).copy()
        at += tensor.nbytes
    return found


def _from_pieces(indices: list[Path], expected: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    found = {name: np.empty(tensor.shape, tensor.dtype) for name, tensor in expected.items()}
    filled = dict.fromkeys(found, 0)
    for path in indices:
        with path.with_suffix(".raw").open("rb") as file:
            for name, begin, shape in json.loads(path.read_text()):
                values = np.frombuffer(file.read(math.prod(shape) * found[name].itemsize), found[name].dtype)
                place = tuple(slice(first, first + size) for first, size in zip(begin, shape, strict=True))
                found[name][place] = values.reshape(shape)
                filled[name] += values.size
    assert all(filled[name] == tensor.size for name, tensor in found.items()), "pieces that do not make the whole"
    return found
