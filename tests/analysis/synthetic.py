"""A made-up sweep whose law is known: small transformers on a Chinchilla surface, with seed noise.

rows() gives runs-table rows, curve_points() their training curves, workdir() a folder that reads like a sweep's.
"""

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa

from scaling_laws.table import CURVES, RUNS, packed

LAW = {"E": 1.0, "A": 32.0, "B": 92.0, "alpha": 0.40, "beta": 0.35}


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to make up: the grid, the seeds at the middle widths, and the noise (a share of the loss)."""

    budgets: tuple[float, ...] = (2e11, 4e11, 8e11, 1.6e12, 3.2e12)
    widths: tuple[int, ...] = (16, 24, 32, 48, 64, 96)
    depths: tuple[int, ...] = (1, 2, 4)
    seeds: tuple[int, ...] = (0, 1, 2)
    noise: float = 0.004
    forecast: float = 1.28e13
    diverged: int = 2


def law_loss(n_params, tokens, law=LAW):
    """E + A/N^alpha + B/D^beta."""
    return law["E"] + law["A"] / n_params ** law["alpha"] + law["B"] / tokens ** law["beta"]


def size_of(width, depth):
    """Parameters of a byte-level transformer: 12 d w^2 + 2 * 256 w."""
    return 12 * depth * width**2 + 512 * width


def optimal_size(flops, law=LAW):
    """Hoffmann et al. 2022, equation 4, for C = 6 N D."""
    total = law["alpha"] + law["beta"]
    scale = (law["alpha"] * law["A"] / (law["beta"] * law["B"])) ** (1 / total)
    return scale * (flops / 6) ** (law["beta"] / total)


def rows(plan=Plan(), seed=0):
    """Rows of the runs table; the last ones diverged, one is a forecast at `plan.forecast` FLOPs."""
    noise = np.random.default_rng(seed)
    out = []
    for budget in plan.budgets:
        for width, depth, n in _nearest_shapes(plan, budget):
            for run_seed in plan.seeds if 0.5 < n / optimal_size(budget) < 2 else plan.seeds[:1]:
                out.append(row(len(out), width, depth, budget, run_seed, noise.normal(0, plan.noise)))
    if plan.forecast:
        best = _nearest_shapes(plan, plan.forecast)[-1]
        out.append(row(len(out), best[0], best[1], plan.forecast, 0, noise.normal(0, plan.noise), purpose="forecast"))
    for i in range(plan.diverged):
        lost = row(len(out), 96, 4, plan.budgets[0], 7 + i, 0.0)
        out.append(lost | {"status": "diverged", "reason": "loss is not finite at step 12", "loss": None})
    return out


def _nearest_shapes(plan, budget):
    """Shapes within a factor of 8 of the optimum, smallest first."""
    shapes = [(w, d, size_of(w, d)) for w in plan.widths for d in plan.depths]
    near = [shape for shape in shapes if 1 / 8 < shape[2] / optimal_size(budget) < 8]
    return sorted(near, key=lambda shape: shape[2])


def row(number, width, depth, budget, seed, noise, purpose="grid"):
    """One finished run that spends `budget` exactly, C = 6 N D."""
    n = size_of(width, depth)
    tokens = max(2048, round(budget / (6 * n)))
    loss = float(law_loss(n, tokens) * np.exp(noise))
    values = {name: default_of(field.type) for name, field in zip(RUNS.names, RUNS, strict=True)}
    return values | {
        "run_id": f"{number:04x}{width:03d}{depth:02d}{seed:07d}", "status": "finished", "purpose": purpose,
        "family": "transformer", "task": "text", "technique": "none", "parametrization": "standard", "width": width,
        "depth": depth, "n_heads": max(1, width // 16), "vocab_size": 256, "context": 128, "batch_size": 16,
        "steps": tokens // 2048, "steps_done": tokens // 2048, "n_params": n, "n_non_embedding": 12 * depth * width**2,
        "n_effective": n, "tokens": tokens, "unique_tokens": 10_000_000, "epochs": tokens / 1e7,
        "flops": 6.0 * n * tokens, "flops_6nd": 6.0 * n * tokens, "budget": budget, "optimizer": "adamw",
        "schedule": "cosine", "learning_rate": 3e-3, "seed": seed, "loss": loss, "loss_se": 0.004,
        "bits_per_byte": loss / np.log(2), "train_loss": loss * 0.99, "eval_tokens": 131072, "device": "cpu",
        "backend": "cpu", "jax_version": "0.10.2", "python_version": "3.11.2", "source_revision": "0123abc",
        "started_at": "2025-01-01T00:00:00Z", "wall_seconds": 12.5, "config": "{}", "corpus_hash": "abcd",
    }  # fmt: skip


def default_of(kind):
    """A neutral value of an Arrow type."""
    return "" if pa.types.is_string(kind) else 0.0 if pa.types.is_floating(kind) else 0


def curve_points(run_rows, points=14):
    """Training curves that fall to each finished run's loss: the law at fewer tokens, made worse mid-schedule."""
    out = []
    for run in run_rows:
        if run["loss"] is None:
            continue
        for share in np.geomspace(1 / 64, 1, points):
            tokens = max(1, round(run["tokens"] * share))
            gap = law_loss(run["n_params"], tokens) - law_loss(run["n_params"], run["tokens"])
            loss = float(run["loss"] + gap + 0.15 * (1 - share))
            out.append({
                "run_id": run["run_id"], "step": max(1, int(run["steps"] * share)), "tokens": tokens,
                "flops": run["flops"] * share, "learning_rate": 3e-3, "train_loss": loss, "loss": loss,
            })  # fmt: skip
    return out


def workdir(folder, run_rows=None, curves=True):
    """Writes runs.parquet (and curves.parquet) into `folder` as a finished sweep leaves them; returns the folder."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    run_rows = rows() if run_rows is None else run_rows
    packed.write(pa.Table.from_pylist(run_rows, schema=RUNS), folder / "runs.parquet")
    if curves:
        packed.write(pa.Table.from_pylist(curve_points(run_rows), schema=CURVES), folder / "curves.parquet")
    return folder
