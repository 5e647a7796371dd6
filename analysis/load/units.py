"""The units of a table's losses and of its D, from its columns loss_kind and context; those of text without them."""

import numpy as np

from analysis.load.columns import texts
from analysis.load.runs import DataError, Runs
from scaling_laws.units import TEXT, Units, units_of


def units(runs: Runs) -> Units:
    """The units of all runs. Raises DataError where they have more than one: no fit goes through unlike losses."""
    if "loss_kind" not in runs and "context" not in runs:
        return TEXT
    kinds = texts(runs["loss_kind"]) if "loss_kind" in runs else np.full(len(runs), "")
    pairs = set(zip(kinds.tolist(), np.nan_to_num(runs.numbers("context")).tolist(), strict=True))
    found = {units_of(str(kind), targets) for kind, targets in pairs} or {TEXT}
    if len(found) > 1:
        named = " and ".join(sorted(one.loss for one in found))
        raise DataError(
            f"{runs.source}: losses in {named}; allowed: one unit, chosen with --where, as "
            "\"task == 'text'\" or \"loss_kind == 'squared_error'\""
        )
    return found.pop()
