"""How much the loss varies between runs that differ in their seed alone."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from analysis.load import Runs


def repeated_shapes(runs: "Runs") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(G,) N, degrees of freedom and variance of ln loss of every shape with several seeds and nothing else changed."""
    from analysis.load import group_keys

    if not {"width", "depth", "learning_rate", "seed"} <= set(runs.columns):
        return np.zeros(0), np.zeros(0), np.zeros(0)
    _, first, keys = np.unique(group_keys(runs, ("learning_rate",)), return_index=True, return_inverse=True)
    log_loss, count = np.log(runs["loss"]), np.bincount(keys)
    deviation = log_loss - (np.bincount(keys, log_loss) / count)[keys]
    squares, several = np.bincount(keys, deviation**2), count > 1
    dof = count[several] - 1.0
    return runs["n_params"][first][several].astype(float), dof, squares[several] / dof


def seed_noise(runs: "Runs") -> dict[str, Any] | None:
    """Pooled standard deviation of ln loss over repeats that differ in seed alone; None without a repeat.

    Needs width, depth, learning_rate and seed. `groups` shapes were repeated, with `dof` degrees of freedom in all.
    """
    _, dof, variance = repeated_shapes(runs)
    if not len(dof):
        return None
    pooled = float(np.sqrt((variance * dof).sum() / dof.sum()))
    return {"sd": pooled, "groups": len(dof), "dof": int(dof.sum())}
