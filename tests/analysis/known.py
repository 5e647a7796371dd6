"""Tables with known answers: published runs (skipped where absent) and noiseless surfaces."""

from pathlib import Path

import numpy as np
import pytest

from analysis import load

DATA = Path(__file__).parents[3] / "shared" / "data"
HOFFMANN = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
CHINCHILLA_COLUMNS = "n_params=Model Size,flops=Training FLOP"


def published(name):
    """Path of a published table; skips the test, saying so, where it is absent."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"published table {name} is not here")
    return path


def chinchilla_points():
    """The 240 points of Hoffmann et al.'s figure 4: all but the five highest losses."""
    runs = load.load(published("epoch_chinchilla/svg_extracted_data.csv"), CHINCHILLA_COLUMNS)
    return runs.select(runs["loss"] < np.sort(runs["loss"])[-5], "one of the five highest losses")


def surface(n_params, tokens, law=HOFFMANN):
    """E + A/N^alpha + B/D^beta."""
    return law["E"] + law["A"] * n_params ** -law["alpha"] + law["B"] * tokens ** -law["beta"]


def isoflop_runs(budgets, half_width, points=15, law=HOFFMANN, noise=0.0, seed=0, center=1.0):
    """Noiseless (or not) budgets of C = 6 N D, N log-spaced within a factor `half_width` of `center` times N*."""
    power = law["alpha"] + law["beta"]
    gain = (law["alpha"] * law["A"] / (law["beta"] * law["B"])) ** (1 / power)
    budget = np.repeat(np.asarray(budgets, dtype=float), points)
    best = gain * (budget / 6) ** (law["beta"] / power)
    n = center * best * np.tile(np.geomspace(1 / half_width, half_width, points), len(budgets))
    loss = surface(n, budget / (6 * n), law) * np.exp(noise * np.random.default_rng(seed).standard_normal(len(n)))
    return load.runs_from({"n_params": n, "tokens": budget / (6 * n), "flops": budget, "budget": budget, "loss": loss})
