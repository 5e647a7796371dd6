"""The runs table: a row a run, and beside it a row a point of a curve. A journal while runs are added, then Parquet."""

from scaling_laws.table.journal import Journal
from scaling_laws.table.schema import CURVES, RUNS, SETTLED, STATUSES, VERSION, TableError, result_columns
from scaling_laws.table.store import compact, read_curves, read_runs, result_hash

__all__ = [
    "CURVES",
    "RUNS",
    "SETTLED",
    "STATUSES",
    "VERSION",
    "Journal",
    "TableError",
    "compact",
    "read_curves",
    "read_runs",
    "result_columns",
    "result_hash",
]
