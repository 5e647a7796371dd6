"""One column of text of a Parquet file, row group by row group, so that a file of any size fits."""

from collections.abc import Iterator
from typing import Any

from scaling_laws.corpora import storage
from scaling_laws.corpora.unit import SourceError, check_column

ROWS, ROW_BYTES = 256, 1 << 22  # that are read at a time, at most


def group_bytes(root: str, path: str, column: str) -> list[int]:
    """Bytes of the column in each row group, unpacked. Raises SourceError where it is no column of text."""
    with storage.opened(root, path) as file, storage.told(path):
        about = _opened(file)
        names = about.schema_arrow.names
        check_column(column, names, path)
        kind = str(about.schema_arrow.field(column).type)
        if kind not in ("string", "large_string", "string_view"):
            raise SourceError(f"--column: {column} of {path} holds {kind}; allowed: a column of text")
        return [_size(about, group, column) for group in range(about.metadata.num_row_groups)]


def rows(root: str, path: str, first: int, last: int, column: str) -> Iterator[str | None]:
    """The texts of row groups `first` .. `last` - 1; None where there is none. Raises SourceError."""
    with storage.opened(root, path) as file, storage.told(path):
        opened = _opened(file)
        for group in range(first, last):
            n_rows = opened.metadata.row_group(group).num_rows
            at_once = max(1, min(ROWS, n_rows * ROW_BYTES // max(1, _size(opened, group, column))))
            for batch in opened.iter_batches(at_once, row_groups=[group], columns=[column], use_threads=False):
                yield from batch.column(0).to_pylist()


def _size(opened: Any, number: int, column: str) -> int:
    """Bytes of a column in a row group, unpacked."""
    group = opened.metadata.row_group(number)
    columns = (group.column(k) for k in range(group.num_columns))
    return sum(one.total_uncompressed_size for one in columns if one.path_in_schema == column)


def _opened(file: Any) -> Any:
    import pyarrow.parquet as pq

    return pq.ParquetFile(file, buffer_size=1 << 20)
