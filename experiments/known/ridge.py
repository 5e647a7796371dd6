"""Ridge random features as rows of the runs table: solved, not trained, one row a (N, T, ridge, seed, data seed)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from experiments.known.cases import Ridge
from scaling_laws import families, provenance, table
from scaling_laws.config import ModelConfig, OptimizerConfig, RunConfig, TaskConfig, TrainConfig, identity
from scaling_laws.describe import describe
from scaling_laws.progress import Progress
from scaling_laws.spec import Spec
from scaling_laws.theory import ridge_features

TASK = "ridge_features"
RIDGES = np.geomspace(1e-9, 1, 28)


def solve(work: Ridge, workdir: Path) -> None:
    """Add the rows that `workdir` lacks to its journal, and compact the tables."""
    with table.Journal(workdir) as journal:
        known = {row["run_id"] for row in journal.rows()}
        missing = [cell for cell in _cells(work) if _run_id(_run(work.alpha, *cell, RIDGES[-1])) not in known]
        line = Progress(len(missing), "fits") if missing else None
        for done, cell in enumerate(missing, 1):
            for row in _rows(work.alpha, *cell):
                journal.append(row, [])
            assert line is not None
            line.update(done)
        if line:
            line.close()
        table.compact(workdir)


def _cells(work: Ridge) -> Iterator[tuple[int, int, int, int]]:
    """(N, seed, T, data seed), those of one spectrum one after the other."""
    for width in work.sizes:
        for seed in range(work.seeds):
            yield from ((width, seed, n, data_seed) for n in work.examples for data_seed in range(work.data_seeds))


def _rows(alpha: float, width: int, seed: int, n_examples: int, data_seed: int) -> Iterator[dict[str, Any]]:
    losses = ridge_features.solve(alpha, width, n_examples, RIDGES, seed, data_seed)
    # by the normal equations of the smaller side: the Gram matrix (its solution, of lower order, is left out)
    flops = 2.0 * width * n_examples * min(width, n_examples)
    for ridge, loss in zip(RIDGES, losses, strict=True):
        run = _run(alpha, width, seed, n_examples, data_seed, ridge)
        spec = Spec("noise", (), 1, "squared_error", numbers=(alpha,))
        counts = families.count(run.model, spec)
        row = describe(
            run, counts, run_id=_run_id(run), spec=spec, unique_tokens=n_examples, corpus_hash=TASK
        ) | dict.fromkeys(("flops", "flops_non_embedding", "flops_effective", "hardware_flops"), flops)
        settled = {"status": "finished", "purpose": "grid", "steps_done": 1, "loss": float(loss)}
        yield row | settled | provenance.environment() | {"started_at": provenance.now()}


def _run(alpha: float, width: int, seed: int, n_examples: int, data_seed: int, ridge: float) -> RunConfig:
    return RunConfig(
        model=ModelConfig(family="features", width=width, depth=1),
        task=TaskConfig(name=TASK, alpha=alpha),
        optimizer=OptimizerConfig(name="ridge", learning_rate=0.0, weight_decay=float(ridge)),
        train=TrainConfig(parametrization="standard", batch_size=n_examples, steps=1, seed=seed, data_seed=data_seed),
    )


def _run_id(run: RunConfig) -> str:
    return identity(run, TASK)
