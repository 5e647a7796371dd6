"""Any table of runs in, by the project's own column names: a sweep's workdir, a file, an export, a folder of logs.

A stranger's table is read through a mapping `n_params=N,tokens=D,loss=loss`. Of N, D and C two suffice: the third
follows from C = 6 N D, which is said in `notes`. Rows that cannot be fitted are set aside by name, never silently.
"""

from analysis.load.groups import best_rate, group_keys
from analysis.load.runs import DataError, Exclusion, Runs, row_list, row_spans
from analysis.load.table import FITTED, WENT_BAD, load, load_curves, parse_columns, runs_from, usable
from analysis.load.units import units

__all__ = [
    "FITTED",
    "WENT_BAD",
    "DataError",
    "Exclusion",
    "Runs",
    "best_rate",
    "group_keys",
    "load",
    "load_curves",
    "parse_columns",
    "row_list",
    "row_spans",
    "runs_from",
    "units",
    "usable",
]
