"""A table as one Parquet file that carries the checksum of all its bytes: no changed bit is read unseen.

Parquet's own checksums cover pages, not the footer that says what the pages are. Here the SHA-256 of the whole file,
its own 64 digits taken as zeros, stands among the footer's keys; any program that reads Parquet reads the file.
"""

import hashlib
from pathlib import Path

import pyarrow as pa

from scaling_laws.disk import read_file, replace_file
from scaling_laws.table.schema import VERSION_KEY, TableError, check_version

KEY = b"scaling_laws.sha256"
SEALED_SINCE = 3  # the first version of the table whose files carry one
_ZEROS = b"0" * 64
_BETWEEN = 2  # bytes of Thrift between a key and its value
_WHY = "damaged, or written anew by a program that should have dropped the metadata scaling_laws.*"


class Damaged(TableError):
    """A file that is not as it was written."""


def write(table: pa.Table, path: Path) -> None:
    """Write a table of this version's schema metadata: whole or not at all, and on the disk on return."""
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, KEY: _ZEROS}), sink, compression="zstd")
    data = sink.getvalue().to_pybytes()
    at = _digits_at(data)
    replace_file(path, data[:at] + _digest(data, at) + data[at + len(_ZEROS) :])


def read(path: Path) -> pa.Table:
    """The table in a Parquet file, of this project or another. Raises Damaged for what is no Parquet or not as it was
    written, TableError where a newer version wrote it, and OSError."""
    import pyarrow.parquet as pq

    data = read_file(path)
    at = _digits_at(data)
    if at >= 0 and data[at : at + len(_ZEROS)] != _digest(data, at):
        raise Damaged(f"{path}: its checksum does not match: {_WHY}")
    try:
        table = pq.ParquetFile(pa.BufferReader(data)).read()
    except (pa.ArrowException, OSError, UnicodeError, OverflowError) as error:  # of a damaged footer
        raise Damaged(f"{path}: not a readable parquet: {str(error).splitlines()[0]}") from error
    said = (table.schema.metadata or {}).get(VERSION_KEY, b"0")
    version = int(said) if said.isdigit() and len(said) < 20 else said
    check_version(version, str(path))
    if at < 0 and int(version) >= SEALED_SINCE:
        raise Damaged(f"{path}: its checksum is missing: {_WHY}")
    return table


def _digits_at(data: bytes) -> int:
    """Where the digits begin, -1 where there are none. The footer comes last, behind whatever a row says."""
    at = data.rfind(KEY)
    return at if at < 0 else at + len(KEY) + _BETWEEN


def _digest(data: bytes, at: int) -> bytes:
    view = memoryview(data)
    digest = hashlib.sha256(view[:at])
    digest.update(_ZEROS)
    digest.update(view[at + len(_ZEROS) :])
    return digest.hexdigest().encode()
