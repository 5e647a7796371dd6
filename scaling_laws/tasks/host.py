"""Windows that the host reads for the device, dispatch by dispatch, of a text that does not lie there.

They are handed over end to end, as a short text of their own: the compiled step reads windows of it as it reads those
of any text. `names` says which windows of the whole they are, for what is drawn by example (dropout).
"""

from collections.abc import Mapping

import numpy as np

from scaling_laws.spec import Spec
from scaling_laws.tasks.task import Task

TOKENS, NAMES = "tokens", "names"
INT32 = 2**31 - 1


def read(task: Task, split: str, places: np.ndarray, room: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The windows at `places` (...) of a split as arrays, and where they begin there (...), int32.

    With `room` the arrays are as long as for so many windows. Raises OSError where they cannot be read.
    """
    windows = task.windows(split, places.reshape(-1))
    arrays = blank(task, max(room, len(windows)))
    size = windows.shape[1]
    arrays[TOKENS][: windows.size] = windows.reshape(-1)
    arrays[NAMES][: len(windows)] = places.reshape(-1) & INT32
    return arrays, (size * np.arange(len(windows), dtype=np.int32)).reshape(places.shape)


def blank(task: Task, room: int) -> dict[str, np.ndarray]:
    """Arrays for so many windows, zeros."""
    (context,) = task.spec.shape
    dtype = next(iter(task.mapped.values())).dtype.newbyteorder("=")
    return {TOKENS: np.zeros(room * (context + 1), dtype), NAMES: np.zeros(room, np.int32)}


def names(spec: Spec, data: Mapping[str, np.ndarray], starts_B: np.ndarray) -> np.ndarray:
    """(B,) numbers that the examples at `starts` go by, wherever they lie: traceable."""
    if NAMES not in data:
        return starts_B
    return data[NAMES][starts_B // (spec.shape[0] + 1)]
