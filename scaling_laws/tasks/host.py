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


def read(
    task: Task, split: str, places: np.ndarray, room: int = 0, rows: np.ndarray | None = None
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The windows at `places` (..., B) of a split as arrays, and where they begin there (..., B), int32.

    With `room` the arrays are as long as for so many windows; with `rows`, ascending numbers below B, the others of a
    batch are left zero, unread. Raises OSError where they cannot be read.
    """
    arrays, numbers = blank(task, max(room, places.size)), np.arange(places.size, dtype=np.int32).reshape(places.shape)
    chosen = (numbers if rows is None else numbers[..., rows]).reshape(-1)
    arrays[TOKENS].reshape(-1, _length(task))[chosen] = task.windows(split, places.reshape(-1)[chosen])
    arrays[NAMES][: places.size] = places.reshape(-1) & INT32
    return arrays, _length(task) * numbers


def blank(task: Task, room: int) -> dict[str, np.ndarray]:
    """Arrays for so many windows, zeros."""
    dtype = next(iter(task.mapped.values())).dtype.newbyteorder("=")
    return {TOKENS: np.zeros(room * _length(task), dtype), NAMES: np.zeros(room, np.int32)}


def names(spec: Spec, data: Mapping[str, np.ndarray], starts_B: np.ndarray) -> np.ndarray:
    """(B,) numbers that the examples at `starts` go by, wherever they lie: traceable."""
    if NAMES not in data:
        return starts_B
    return data[NAMES][starts_B // (spec.shape[0] + 1)]


def _length(task: Task) -> int:
    """Tokens of a window, the last target included."""
    return task.spec.shape[0] + 1
