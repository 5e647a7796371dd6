"""The best learning rate and batch of each size and length of training, from a table that tried many.

What comes out is a table of one row a cell, which the laws `learning_rate` and `batch` are fitted to:

    fit(optimal_settings(runs), law="learning_rate", objective="log_mse")
"""

from collections.abc import Sequence

import numpy as np

from analysis.load import DataError, Runs
from scaling_laws.config import ConfigError

SHARE = 0.05


def optimal_settings(
    runs: Runs,
    settings: Sequence[str] = ("learning_rate", "batch_tokens"),
    cells: Sequence[str] = ("n_params", "tokens"),
    share: float = SHARE,
) -> Runs:
    """One row a cell: the geometric mean of each setting over the best `share` of the cell's runs (at least one).

    Near its minimum the loss is so flat in these settings that the single lowest run is picked by noise: on the Step
    Law grids (1911 runs in 17 cells) its exponents lie 3.7 published standard errors from the published ones, and
    those of the best 5 % within 2.5. Columns of `settings` are positive; `tried` counts the runs of a cell.
    Raises DataError for a missing column, ConfigError for a share outside (0, 1].
    """
    if not 0 < share <= 1:
        raise ConfigError(f"share: {share}; allowed: above 0, at most 1")
    known = [name for name in settings if name in runs]
    if not known:
        raise DataError(f"{runs.source}: {runs.lacks(settings[0])}; allowed: one of {', '.join(settings)}")
    keys = np.stack([runs[name] for name in cells], axis=1)
    places, label = np.unique(keys, axis=0, return_inverse=True)
    members = [np.flatnonzero(label.ravel() == k) for k in range(len(places))]
    best = [rows[np.argsort(runs["loss"][rows], kind="stable")[: max(1, round(share * len(rows)))]] for rows in members]
    columns = {name: places[:, k] for k, name in enumerate(cells)}
    for name in known:
        columns[name] = np.array([np.exp(np.log(runs[name][rows]).mean()) for rows in best])
    columns["loss"] = np.array([runs["loss"][rows].min() for rows in members])
    columns["tried"] = np.array([len(rows) for rows in members])
    return Runs(
        columns, runs.source, runs.excluded, (*runs.notes, f"settings: mean of the best {share:.0%} of each cell")
    )
