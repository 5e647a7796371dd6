"""IsoFLOP budgets out of training curves: every run read where it had spent each budget.

As Kaplan et al. 2020 did, and Porian et al. 2024 again: one run a size serves all budgets. It is honest for a rate that
does not fall; a rate that decays to the horizon makes every loss before the end too high (Hoffmann et al. 2022).
"""

from collections.abc import Sequence

import numpy as np

from analysis.load import DataError, Runs

KEPT = ("n_params", "width", "depth", "learning_rate", "seed")  # by which repeats of a run are known


def from_curves(points: Runs, runs: Runs, budgets: Sequence[float]) -> Runs:
    """A row for each of `runs` at each of `budgets` (FLOPs, as `runs` count them) that lies within its curve.

    `points`: curves with `run_id`, `tokens` and `loss`. Losses are interpolated in ln loss over ln tokens; D and C are
    shares of the run's. Of its other columns a row has `KEPT`. Raises DataError where no run passes a budget, or a run
    has no curve of two points.
    """
    tokens, loss = points.numbers("tokens"), points.numbers("loss")
    there = np.isfinite(tokens) & (tokens > 0) & np.isfinite(loss) & (loss > 0)
    found: dict[str, list[float]] = {"row": [], "budget": [], "tokens": [], "loss": []}
    for row, name in enumerate(runs.names()):
        mine = np.flatnonzero(there & (points["run_id"] == name))
        mine = mine[np.argsort(tokens[mine], kind="stable")]
        if len(mine) < 2:
            raise DataError(f"{points.source}: run {name} has no curve of two points; allowed: runs with curves")
        spent = np.asarray(budgets) / runs["flops"][row] * runs["tokens"][row]
        inside = (tokens[mine[0]] <= spent) & (spent <= tokens[mine[-1]] * (1 + 1e-9))
        at = np.interp(np.log(spent[inside]), np.log(tokens[mine]), np.log(loss[mine]))
        found["row"] += [row] * len(at)
        found["budget"] += np.asarray(budgets)[inside].tolist()
        found["tokens"] += spent[inside].tolist()
        found["loss"] += np.exp(at).tolist()
    if not found["row"]:
        raise DataError(f"{points.source}: no run passes a budget; allowed: budgets within the curves")
    rows = np.array(found.pop("row"))
    columns = {name: np.array(values) for name, values in found.items()}
    own = {"run_id": np.array(runs.names())[rows]} | {name: runs[name][rows] for name in KEPT if name in runs}
    return Runs({**own, **columns, "flops": columns["budget"]}, f"the curves of {runs.source}")
