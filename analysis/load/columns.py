"""What a value of a stranger's table is: a number, a missing number, or text. One rule for every kind of file.

A number is what Python writes as one, in ASCII and without `_`; `nan` and `inf` are numbers. An empty field, null, NA,
N/A and None are missing (NaN) in a column of numbers. A column holding anything else, or nothing but such words, is
text, and stays as it was written.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

MISSING = frozenset(("", "na", "n/a", "null", "none"))
PLAIN = {float, int, bool, type(None)}  # types of which NumPy makes what `number` does
WIDE = 1 << 24  # characters of a column beyond which its texts are objects, not fields of one width
_TEXT_COLUMNS = """run_id status reason purpose family task technique trunk parametrization optimizer schedule
corpus_hash loss_kind config device backend jax_version python_version source_revision worker started_at
name run_name run id Name ID State Created"""
TEXT = frozenset(_TEXT_COLUMNS.split())  # names, of which some look like 12345e10


def number(value: Any) -> float:
    """The number that a value is, NaN where it is missing. Raises ValueError where it is text."""
    if value is None:
        return np.nan
    if not isinstance(value, str):
        return _plain(value)
    word = value.strip()
    if word.lower() in MISSING:
        return np.nan
    if not word.isascii() or "_" in word:
        raise ValueError(value)
    return float(word)


def _plain(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf
    except TypeError as error:
        raise ValueError(value) from error


def typed(name: str, values: list[Any]) -> np.ndarray:
    """(n,) floats where every value is a number or missing, else texts."""
    if name in TEXT:
        return _text(values)
    try:
        plain = {*map(type, values)} <= PLAIN
        numbers = np.array(values if plain else [number(value) for value in values], dtype=float)
    except OverflowError:
        numbers = np.array([number(value) for value in values], dtype=float)
    except ValueError:
        return _text(values)
    return _text(values) if np.isnan(numbers).all() and any(map(_is_word, values)) else numbers


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and value.strip().lower() not in ("", "nan")


def _text(values: Iterable[Any]) -> np.ndarray:
    words = ["" if value is None else str(value) for value in values]
    widest = max(map(len, words), default=0)
    return np.array(words, dtype=object if widest * len(words) > WIDE else str)


def texts(values: np.ndarray) -> np.ndarray:
    """A column as text: numbers written out, texts as they are (one of them may be too long for a field a row)."""
    return values.astype(str) if values.dtype.kind in "fiub" else values


def from_arrow(name: str, column: Any) -> np.ndarray:
    """The same of an Arrow column, without a Python object a row where that can be."""
    import pyarrow as pa
    import pyarrow.types as kinds

    kind = column.type
    if kinds.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if not (kinds.is_string(kind) or kinds.is_large_string(kind)):
        plain = kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_boolean(kind)
        if plain and name not in TEXT:
            return _floats(column.cast(pa.float64(), safe=False))
        if kinds.is_temporal(kind):  # which Python's own types hold only from the year 1 to 9999
            column = column.cast(pa.string())
        return typed(name, column.to_pylist())
    if name not in TEXT:
        try:
            return _floats(column.cast(pa.float64()))
        except pa.ArrowInvalid:
            pass  # a text, or a number that only our rule accepts: decided word by word
    return _worded(name, column)


def _worded(name: str, column: Any) -> np.ndarray:
    """Each different text is decided once."""
    encoded = _whole(column).dictionary_encode()
    words = encoded.dictionary.to_pylist()
    values = typed(name, [*words, None])
    if values.dtype.kind == "U" and values.dtype.itemsize // 4 * len(column) > WIDE:
        values = values.astype(object)
    return values[_plain_buffer(encoded.indices, np.int32, len(words))]


def _floats(column: Any) -> np.ndarray:
    return _plain_buffer(_whole(column), np.float64, np.nan)


def _whole(column: Any) -> Any:
    """One array of a chunked one."""
    import pyarrow as pa

    whole = column.combine_chunks()
    return whole.combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole


def _plain_buffer(array: Any, dtype: Any, gap: float) -> np.ndarray:
    """The values of an Arrow array, `gap` where null. Arrow's own conversion would import pandas where there is one."""
    valid, data = array.buffers()
    here = slice(array.offset, array.offset + len(array))
    values = np.frombuffer(data or b"", dtype)[here].copy()
    if array.null_count:
        values[np.unpackbits(np.frombuffer(valid, np.uint8), bitorder="little")[here] == 0] = gap
    return values


def filled(length: int, like: np.ndarray) -> np.ndarray:
    """(length,) missing values of the kind of `like`: NaN, or empty texts."""
    return np.full(length, np.nan) if like.dtype.kind in "fiu" else np.full(length, "", dtype=like.dtype)


def present(values: np.ndarray) -> np.ndarray:
    """(n,) booleans: where a value is there."""
    return ~np.isnan(values.astype(float)) if values.dtype.kind in "fiu" else values != ""
