"""The arrays of a checkpoint on the disk: one plain file for small states, Orbax for large ones.

Orbax takes a fifth of a second a save whatever the size, too much for thousands of small runs. Neither checks what it
reads: that is the manifest's part, with the names, dtypes and shapes of the arrays.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

SMALL = 64 << 20  # bytes of all arrays together, up to which they are one file
FILE, FOLDER = "arrays.raw", "arrays"


def write(folder: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Write arrays of any dtype of NumPy or JAX below `folder`, which exists."""
    if sum(tensor.nbytes for tensor in tensors.values()) <= SMALL:
        with (folder / FILE).open("wb") as file:
            for name in sorted(tensors):
                file.write(tensors[name].tobytes())
        return
    import orbax.checkpoint as ocp  # seconds: paid by the first large checkpoint, not by every run

    ocp.PyTreeCheckpointer().save(folder / FOLDER, {name: tensor for name, tensor in tensors.items() if tensor.size})


def read(folder: Path, expected: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays below `folder` by name; names, dtypes and shapes are those of `expected`."""
    if (folder / FILE).is_file():
        return _from_file((folder / FILE).read_bytes(), expected)
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
