"""The 240 points that the speed of the fit is measured on: a user's copy of the published ones, or made-up ones."""

from pathlib import Path

import numpy as np

from analysis import load, published

PUBLISHED_COLUMNS = "n_params=Model Size,flops=Training FLOP"
DROPPED = 5  # the highest losses, as Besiroglu et al. 2024 do
NOISE = 0.006  # robust standard deviation of ln loss about the published fit


def read(path: Path) -> dict[str, np.ndarray]:
    """n_params, tokens and loss of the published points but the five highest losses. Raises DataError."""
    runs = load.load(path, PUBLISHED_COLUMNS)
    kept = np.sort(np.argsort(runs["loss"], kind="stable")[:-DROPPED])
    return {name: runs[name][kept] for name in ("n_params", "tokens", "loss")}


def made_up(count: int = 240, seed: int = 0) -> dict[str, np.ndarray]:
    """As many points as wanted over the published ranges of N and D, with heavy-tailed noise of the published size."""
    rng = np.random.default_rng(seed)
    n_params = np.exp(rng.uniform(np.log(5.7e7), np.log(1.6e10), count))
    tokens = np.exp(rng.uniform(np.log(8e8), np.log(3.2e11), count))
    c = published.BESIROGLU_2024.coefficients
    loss = c["E"] + c["A"] / n_params ** c["alpha"] + c["B"] / tokens ** c["beta"]
    return {"n_params": n_params, "tokens": tokens, "loss": loss * np.exp(NOISE * rng.standard_t(4, count))}
