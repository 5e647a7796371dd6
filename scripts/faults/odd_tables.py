"""Parquet as other programs write it, and as none should: every type of column, odd schemas, no rows."""

import datetime
import decimal
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 12
DAY = datetime.date(2025, 1, 1)


def _columns() -> dict[str, Callable[[], Any]]:
    """Name -> a column of ROWS values of one type."""
    n = ROWS
    numbers = [float(i + 1) for i in range(n)]
    words = pa.array(["1", "2", "x", None] * (n // 4))
    return {
        "decimal": lambda: pa.array([decimal.Decimal(i + 1) / 4 for i in range(n)], pa.decimal128(30, 10)),
        "decimal256": lambda: pa.array([decimal.Decimal(10) ** 60 + i for i in range(n)], pa.decimal256(70, 0)),
        "half": lambda: pa.array(np.arange(1, n + 1, dtype=np.float16)),
        "uint64": lambda: pa.array([2**64 - 1 - i for i in range(n)], pa.uint64()),
        "bool": lambda: pa.array([True, False, None] * (n // 3)),
        "null": lambda: pa.nulls(n),
        "binary": lambda: pa.array([b"\xff\x00"] * n),
        "large_binary": lambda: pa.array([b"1"] * n, pa.large_binary()),
        "fixed": lambda: pa.array([b"ab"] * n, pa.binary(2)),
        "bad_text": lambda: pa.Array.from_buffers(pa.string(), n, pa.array([b"\xff\xfe"] * n).buffers()),
        "large_text": lambda: pa.array(["3"] * n, pa.large_string()),
        "view": lambda: pa.array(["a long text that needs a buffer"] * n, pa.string_view()),
        "dictionary": lambda: words.dictionary_encode(),
        "dictionary_of_numbers": lambda: pa.array(numbers).dictionary_encode(),
        "dictionary_of_binary": lambda: pa.array([b"\xff"] * n).dictionary_encode(),
        "list": lambda: pa.array([[1.0], [], None, [2.0, 3.0]] * (n // 4)),
        "large_list": lambda: pa.array([["a"]] * n, pa.large_list(pa.string())),
        "fixed_list": lambda: pa.array([[1, 2]] * n, pa.list_(pa.int64(), 2)),
        "struct": lambda: pa.array([{"a": 1, "b": {"c": "x"}}] * n),
        "map": lambda: pa.array([[("k", 1)]] * n, pa.map_(pa.string(), pa.int64())),
        "deep": lambda: _deep(60),
        "date": lambda: pa.array([DAY] * n),
        "far_date": lambda: pa.array([2**31 - 1] * n, pa.date32()),
        "time": lambda: pa.array([1] * n, pa.time64("ns")),
        "nanoseconds": lambda: pa.array([1234567891] * n, pa.timestamp("ns")),
        "far_time": lambda: pa.array([2**62] * n, pa.timestamp("us")),
        "zone": lambda: pa.array([1] * n, pa.timestamp("ms", tz="Nowhere/Land")),
        "duration": lambda: pa.array([2**62] * n, pa.duration("us")),
        "nan": lambda: pa.array([float("nan")] * n),
        "wide": lambda: pa.array(["x" * 200_000] * n),
        "text": lambda: words,
        "empty_texts": lambda: pa.array([""] * n),
    }


COLUMNS = _columns()
NAMES = (
    "loss",
    "flops",
    "budget",
    "seed",
    "width",
    "N",
    "D",
    "run",
    "status",
    "run_id",
    "row",
    "",
    "\0",
    "</script>",
    "a\nb",
    "_step",
    "Name",
    "State",
    "step",
)


def _deep(levels: int) -> pa.Array:
    kind, value = pa.int64(), 1
    for _ in range(levels):
        kind, value = pa.struct([("a", kind)]), {"a": value}
    return pa.array([value] * ROWS, kind)


def write(path: Path, rng: random.Random) -> None:
    """A strange Parquet file."""
    sizes = [100.0 * 2 ** (i % 4) for i in range(ROWS)]
    tokens = [1000.0 * 4 ** (i // 4) for i in range(ROWS)]
    columns: dict[str, Any] = {
        "run": pa.array([f"r{i}" for i in range(ROWS)]),
        "N": pa.array(sizes),
        "D": pa.array(tokens),
        "loss": pa.array([1.5 + 30 / n**0.4 + 40 / d**0.35 for n, d in zip(sizes, tokens, strict=True)]),
    }
    for _ in range(rng.choice((1, 1, 2, 5))):
        columns[rng.choice(NAMES)] = rng.choice(list(COLUMNS.values()))()
    table = pa.table(columns)
    how = rng.choice(("plain", "plain", "plain", "empty", "twice", "many", "chunks", "old", "version", "metadata"))
    if how == "empty":
        table = table.slice(0, 0)
    elif how == "twice":
        table = table.append_column("N", table["N"])
    elif how == "many":
        table = pa.table({f"c{i}": [1.0] for i in range(3000)})
    elif how == "metadata":
        table = table.replace_schema_metadata({b"pandas": b"{not json", b"ARROW:schema": b"AAAA", b"\xff": b"\xfe"})
    elif how == "version":
        version = rng.choice((b"3000", b"x", b"", b"\xff", b"-1", b"9" * 5000))
        names = (b"scaling_laws.version", b"scaling_laws.journal_bytes")
        table = table.replace_schema_metadata(dict.fromkeys(names, version))
    chosen = {
        "compression": rng.choice(("snappy", "zstd", "gzip", "none")),
        "use_dictionary": rng.random() < 0.5,
        "store_schema": rng.random() < 0.7,
        "row_group_size": 5 if how == "chunks" else None,
        "version": "1.0" if how == "old" else "2.6",
        "use_deprecated_int96_timestamps": how == "old",
    }
    try:
        pq.write_table(table, path, **chosen)
    except (pa.ArrowException, OSError):  # what Parquet cannot hold
        pq.write_table(table.select(["N", "D"]).slice(0, rng.choice((0, 1))), path)
