"""The case of two classes: a network trained to convergence, the same stopped early, and a logistic regression."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.worked.trained import Check, Trained, trained
from scaling_laws.config import RunConfig, TaskConfig, replace

CONVERGED = 1e-3  # norm of the gradient, at most; at a rate of .01 a step then lowers the loss by 1e-8
BEGINNING = 1000  # steps that are looked at from the first one on
FRESH = 10_000  # further rows of the same making, to tell what 15 held-out rows cannot
COLUMNS = (
    "model",
    "n_params",
    "steps",
    "grad_norm",
    "train_loss",
    "train_accuracy",
    "heldout_loss",
    "heldout_loss_se",
    "heldout_accuracy",
    "fresh_loss",
    "fresh_accuracy",
)
NETWORK, STOPPED = "10-10-2 network", "10-10-2 network, stopped early"
LOGISTIC, BEST = "logistic regression", "best possible"


@dataclasses.dataclass(frozen=True)
class Classes:
    """A row of COLUMNS a model, the curves of the two models from their first step on, and what was asked."""

    rows: list[dict[str, Any]]
    curves: Mapping[str, Sequence[Mapping[str, Any]]]
    checks: list[Check]


def study(config: RunConfig, workdir: Path) -> Classes:
    """Train all arms. The steps of the early stop are those with the least validation loss. Errors as `trained`."""
    arms = {NETWORK: config, LOGISTIC: replace(config, {"model.depth": 0})}
    full = {name: trained(run, workdir) for name, run in arms.items()}
    short = {name: trained(replace(run, {"train.steps": BEGINNING}), workdir) for name, run in arms.items()}
    curves = {name: joined(short[name].curve, full[name].curve) for name in arms}
    stop = min(curves[NETWORK], key=lambda point: point["loss"])["step"]
    early = trained(replace(config, {"train.steps": max(2, stop)}), workdir)  # a run has two steps at least
    fresh = fresh_rows(config.task)
    rows = [scored(STOPPED, early, fresh), *(scored(name, one, fresh) for name, one in full.items()), ideal(fresh)]
    return Classes(rows, curves, checks({row["model"]: row for row in rows}))


def joined(first: Sequence[dict[str, Any]], rest: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The curve of a short run and, beyond its end, that of a longer one with the same steps."""
    return [*first, *(point for point in rest if point["step"] > first[-1]["step"])]


def fresh_rows(task: TaskConfig) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (FRESH, 10) and classes (FRESH,) that come after the table's own rows."""
    from scaling_laws.tasks.generated import count
    from scaling_laws.tasks.generated_tables import toy_classes

    own = count(task, 100)
    *inputs, classes = (column.values for column in toy_classes(replace(task, {"examples": own + FRESH})).columns)
    return np.stack(inputs, axis=1)[own:].astype(np.float32), np.asarray(classes)[own:].astype(int)


def scored(name: str, one: Trained, fresh: tuple[np.ndarray, np.ndarray]) -> dict[str, Any]:
    """The row of a trained model."""
    train = one.task.train
    found = {"model": name, "n_params": one.row["n_params"], "steps": one.row["steps"]}
    found |= {"grad_norm": one.curve[-1]["grad_norm"]}
    found |= scores(one.outputs(train["inputs"]), train["targets"], "train")
    found |= {f"heldout_{key}": one.row[key] for key in ("loss", "loss_se", "accuracy")}
    return found | scores(one.outputs(fresh[0]), fresh[1], "fresh")


def scores(logits: np.ndarray, targets: np.ndarray, rows: str) -> dict[str, float]:
    """Mean loss in nats and accuracy of `logits` (n, 2) on `targets` (n,)."""
    from scipy.special import log_softmax

    losses = -log_softmax(logits.astype(float), axis=1)[np.arange(len(targets)), targets]
    return {f"{rows}_loss": float(losses.mean()), f"{rows}_accuracy": float(np.mean(logits.argmax(1) == targets))}


def ideal(fresh: tuple[np.ndarray, np.ndarray]) -> dict[str, Any]:
    """The row of the rule that knows how the table was made: log odds of class 1 are distance x place along the
    diagonal."""
    from scaling_laws.tasks.generated_tables import TOY_DISTANCE

    odds = TOY_DISTANCE * fresh[0].sum(axis=1) / math.sqrt(fresh[0].shape[1])
    return {"model": BEST, **scores(np.stack([np.zeros_like(odds), odds], axis=1), fresh[1], "fresh")}


def checks(rows: Mapping[str, Mapping[str, Any]]) -> list[Check]:
    """Convergence of both models, and that the network knows every row it was trained on."""
    found = []
    for name in (NETWORK, LOGISTIC):
        norm = rows[name]["grad_norm"]
        said = f"{name}: norm of the gradient {norm:.1e} at the end, at most {CONVERGED:g}"
        found.append(Check(said, norm <= CONVERGED))
    right = rows[NETWORK]["train_accuracy"]
    return [*found, Check(f"{NETWORK}: {right:.0%} of the training rows right, all of them", right == 1)]


def lines(found: Classes) -> list[str]:
    """The table and the checks in words."""
    from scaling_laws.sweep.show import align

    head = ("", "N", "steps", "train loss", "right", "held-out loss", "right", f"loss on {FRESH:,} fresh", "right")
    return [*align([head, *(_cells(row) for row in found.rows)]), *map(str, found.checks)]


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    def cell(form: str, *names: str) -> str:
        return form.format(*(row[name] for name in names)) if names[0] in row else "-"

    return (
        row["model"],
        cell("{}", "n_params"),
        cell("{:,}", "steps"),
        cell("{:.2g}", "train_loss"),
        cell("{:.0%}", "train_accuracy"),
        cell("{:.2f} ± {:.2f}", "heldout_loss", "heldout_loss_se"),
        cell("{:.0%}", "heldout_accuracy"),
        cell("{:.2f}", "fresh_loss"),
        cell("{:.1%}", "fresh_accuracy"),
    )
