"""What a row of the runs table says of held-out examples."""

from typing import Any

import numpy as np

from scaling_laws.tasks import metrics, scores
from scaling_laws.tasks.task import Task


def columns(task: Task, losses: np.ndarray, places: np.ndarray, outputs: np.ndarray | None) -> dict[str, Any]:
    """Loss with its standard error, what is behind it, bits a byte of a text, and the scores, from the losses (n,) of
    the held-out examples at `places` (n,), and their `outputs` (n, O) where examples have one target."""
    loss, error = metrics.loss_and_se(losses)
    found = {"loss": loss, "loss_se": error, "eval_tokens": len(places) * task.spec.targets}
    if task.token_bytes is not None:
        targets = task.windows("heldout", places)[:, 1:]
        found["bits_per_byte"] = metrics.bits_per_byte(loss, targets.size, int(task.token_bytes[targets].sum()))
    if outputs is not None and task.spec.source != "stream":
        found |= scores.scores(task.spec, outputs, task.heldout["targets"][places], task.positive)
    return found
