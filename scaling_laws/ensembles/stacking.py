"""Stacking: a model of the members' predictions, learnt where these were made out of fold (Wolpert 1992, "Stacked
generalization"; van der Laan et al. 2007).

Of classes a logistic regression on the members' log-probabilities, of numbers a ridge regression on their predictions,
both scikit-learn's at its own default strength, on standardised columns.

Dimension letters: N examples, K members, O outputs.
"""

from collections.abc import Sequence

import numpy as np

from scaling_laws.spec import Spec
from scaling_laws.tasks import samples
from scaling_laws.tasks.task import Task

LOWEST = -30.0  # log-probability: what lies below tells a linear model nothing
UNSEEN = -50.0  # of a class that the fold predictions have no example of


def out_of_fold(task: Task, folds: int, outputs_FxNxO: np.ndarray) -> np.ndarray:
    """(N, O): of each training example what the run says that did not read its part of the train split."""
    parts_N = samples.parts(task, folds)
    return outputs_FxNxO[parts_N, np.arange(len(parts_N))]


def stacked(
    spec: Spec, told_KxNxO: Sequence[np.ndarray], targets_N: np.ndarray, asked_KxNxO: Sequence[np.ndarray]
) -> np.ndarray:
    """(n, O) outputs, log-probabilities or numbers, of the members' outputs `asked`, learnt from those out of fold
    `told` and their targets."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    told, asked = (_columns(spec, each) for each in (told_KxNxO, asked_KxNxO))
    if not spec.is_classification:
        return make_pipeline(StandardScaler(), Ridge()).fit(told, targets_N).predict(asked)[:, None]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(told, targets_N)
    found = np.full((len(asked), spec.outputs), UNSEEN)
    found[:, model.classes_] = model.predict_log_proba(asked)
    return found


def _columns(spec: Spec, outputs_KxNxO: Sequence[np.ndarray]) -> np.ndarray:
    """(N, K O) of all members beside each other."""
    columns = np.concatenate(outputs_KxNxO, axis=1).astype(np.float64)
    if not spec.is_classification:
        return columns
    shaped = columns.reshape(len(columns), -1, spec.outputs)
    shifted = shaped - shaped.max(axis=2, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=2, keepdims=True))
    return np.maximum(logs, LOWEST).reshape(len(columns), -1)


def losses(task: Task, outputs_NxO: np.ndarray, places_N: np.ndarray) -> np.ndarray:
    """(N,) losses of outputs for the held-out examples at these places, classes by their weights."""
    targets = task.heldout["targets"][places_N]
    if not task.spec.is_classification:
        return np.square(outputs_NxO[:, 0] - targets)
    weights = task.fixed.get("class_weights")
    found = -outputs_NxO[np.arange(len(targets)), targets]
    return found if weights is None else found * weights[targets]
