"""Scores of held-out outputs beside the loss: each equal to what scikit-learn says of them, computed in float64.

Of n examples and V classes `logits` are (n, V) and `targets` (n,) whole numbers below V; of numbers predicted
`predictions` are (n,) or (n, 1) and `targets` (n,). The class predicted is that of the largest logit, the first of
equal ones. Every function raises ValueError, in one line, for no examples, shapes that do not fit, a target that is
no class, or a number that is not finite. A score is NaN where it is not defined.
"""

import math

import numpy as np

from scaling_laws.spec import Spec

BINS = 15  # of the calibration error, as Guo et al. (2017) have them


def scores(spec: Spec, outputs: np.ndarray, targets: np.ndarray, positive: int | None) -> dict[str, float]:
    """The scores that a task of this `spec` has, by the names of their columns in the runs table.

    `outputs`: logits, or numbers predicted. `positive`: of two classes the one that `pr_auc` is of, say the rarer one
    of the train split; not read for more of them, nor for numbers. A score that is not defined is left out. Also
    raises ValueError for logits of other classes than the spec's, or a `positive` that is none of two classes.
    """
    found = _of_classes(spec, outputs, targets, positive) if spec.is_classification else _of_numbers(outputs, targets)
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _of_classes(spec: Spec, logits: np.ndarray, targets: np.ndarray, positive: int | None) -> dict[str, float]:
    shape = np.shape(logits)
    if shape[1:] != (spec.outputs,):
        raise ValueError(f"outputs: of shape {shape}; allowed: (n, {spec.outputs}), logits of the task's classes")
    found = {"accuracy": accuracy(logits, targets)}
    for average in ("macro", "micro"):
        names = (f"precision_{average}", f"recall_{average}", f"f1_{average}")
        found |= dict(zip(names, precision_recall_f1(logits, targets, average), strict=True))
    found["pr_auc"] = pr_auc(logits, targets, positive)
    if spec.outputs == 2:
        found["roc_auc"] = roc_auc(logits, targets)
    return found | {"calibration_error": calibration_error(logits, targets), "brier": brier(logits, targets)}


def _of_numbers(predictions: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    return {"r2": r2(predictions, targets), "mean_absolute_error": mean_absolute_error(predictions, targets)}


def accuracy(logits: np.ndarray, targets: np.ndarray) -> float:
    """Share of the examples whose class is predicted."""
    logits, targets = _classified(logits, targets)
    return float(np.mean(logits.argmax(axis=1) == targets))


def precision_recall_f1(logits: np.ndarray, targets: np.ndarray, average: str) -> tuple[float, float, float]:
    """Precision, recall and F1, 0 where their denominator is.

    `average`: `macro`, the mean over the classes that are there, as a target or as a prediction; or `micro`, of the
    counts of all classes together, where all three are the accuracy.
    """
    hits, predicted, actual = _counts(*_classified(logits, targets))
    if average == "micro":
        hits, predicted, actual = (counts.sum(keepdims=True) for counts in (hits, predicted, actual))
    elif average != "macro":
        raise ValueError(f"average: {average!r}; allowed: macro, micro")
    there = predicted + actual > 0
    ratios = (
        hits / np.maximum(predicted, 1),
        hits / np.maximum(actual, 1),
        2 * hits / np.maximum(predicted + actual, 1),
    )
    precision, recall, f1 = (float(ratio[there].mean()) for ratio in ratios)
    return precision, recall, f1


def balanced_accuracy(logits: np.ndarray, targets: np.ndarray) -> float:
    """Mean recall over the classes that are among the targets."""
    hits, _, actual = _counts(*_classified(logits, targets))
    return float((hits[actual > 0] / actual[actual > 0]).mean())


def log_loss(logits: np.ndarray, targets: np.ndarray) -> float:
    """Mean of -log softmax(logits)[target], in nats, whatever the weights of classes in the task's loss.

    Not cut off at -log(2**-52), as scikit-learn's is for having seen probabilities only.
    """
    logits, targets = _classified(logits, targets)
    return float(-_log_probabilities(logits)[np.arange(len(targets)), targets].mean())


def pr_auc(logits: np.ndarray, targets: np.ndarray, positive: int | None = None) -> float:
    """Average precision, the area under the steps of the precision-recall curve: the sum of P_k (R_k - R_{k-1}).

    Of two classes that of the class `positive`, 0 where no target is positive. Of more the mean over the classes that
    are among the targets, each against all others.
    """
    logits, targets = _classified(logits, targets)
    if logits.shape[1] == 2:
        if positive not in (0, 1):
            raise ValueError(f"positive: {positive}; allowed: 0 or 1, one of the two classes")
        return _average_precision(logits[:, positive] - logits[:, 1 - positive], targets == positive)
    ranking = _log_probabilities(logits)
    return float(np.mean([_average_precision(ranking[:, k], targets == k) for k in np.unique(targets)]))


def roc_auc(logits: np.ndarray, targets: np.ndarray) -> float:
    """Chance that of two examples of different classes the one of class 1 has the larger odds of it; ties count half.

    Of two classes. The area under the ROC curve (Hanley and McNeil, 1982); NaN where only one class is there.
    """
    logits, targets = _classified(logits, targets)
    if logits.shape[1] != 2:
        raise ValueError(f"logits: of {logits.shape[1]} classes; allowed: 2")
    positives, members = _by_score(logits[:, 1] - logits[:, 0], targets == 1)
    negatives = members - positives
    pairs = positives.sum() * negatives.sum()
    above = np.cumsum(positives) - positives / 2
    return float(negatives @ above / pairs) if pairs else math.nan


def calibration_error(logits: np.ndarray, targets: np.ndarray) -> float:
    """Expected calibration error: the mean distance of accuracy from confidence, the top class' probability.

    Guo et al. (2017), equation 3, over 15 bins of confidence, (0, 1/15] to (14/15, 1].
    """
    logits, targets = _classified(logits, targets)
    _, rest = _top_and_rest(logits)
    confidence = 1 / (1 + rest[:, 0])
    surplus = (logits.argmax(axis=1) == targets) - confidence
    bins = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], confidence)
    return float(np.abs(np.bincount(bins, weights=surplus)).sum() / len(targets))


def brier(logits: np.ndarray, targets: np.ndarray) -> float:
    """Mean squared distance of the probabilities from the targets as one-hot rows (Brier, 1950, equation 2).

    Of two classes half of it, as is usual: the squared error of the probability of either.
    """
    logits, targets = _classified(logits, targets)
    misses = np.exp(_log_probabilities(logits))
    misses[np.arange(len(targets)), targets] -= 1
    return float((misses**2).sum(axis=1).mean() / (2 if logits.shape[1] == 2 else 1))


def r2(predictions: np.ndarray, targets: np.ndarray) -> float:
    """Share of the targets' variance that is explained: 1 - (squared errors) / (squared distances from their mean).

    Targets that are all equal: 1 where every prediction is right, else 0. NaN for one example.
    """
    predictions, targets = _predicted(predictions, targets)
    if len(targets) == 1:
        return math.nan
    errors = ((targets - predictions) ** 2).sum()
    if np.ptp(targets) == 0:
        return float(errors == 0)
    return float(1 - errors / ((targets - targets.mean()) ** 2).sum())


def mean_absolute_error(predictions: np.ndarray, targets: np.ndarray) -> float:
    """Mean distance of predictions from targets, in the targets' unit."""
    predictions, targets = _predicted(predictions, targets)
    return float(np.abs(predictions - targets).mean())


def _counts(logits: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(V,) each: examples of a class that are predicted as such, all that are predicted as it, all that are of it."""
    top, n_classes = logits.argmax(axis=1), logits.shape[1]
    hits = np.bincount(targets[top == targets], minlength=n_classes)
    return hits, np.bincount(top, minlength=n_classes), np.bincount(targets, minlength=n_classes)


def _top_and_rest(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, 1) each: the largest logit m, and the sum of exp(logit - m) over the others.

    Summed in order of size, so that examples whose logits are the same but for their order have equal scores.
    """
    ordered = np.sort(logits, axis=1)
    top = ordered[:, -1:]
    return top, np.exp(ordered[:, :-1] - top).sum(axis=1, keepdims=True)


def _log_probabilities(logits: np.ndarray) -> np.ndarray:
    """(n, V): log softmax. Near 0 it still tells apart what as a probability would be 1."""
    top, rest = _top_and_rest(logits)
    return (logits - top) - np.log1p(rest)


def _by_score(ranking: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each distinct value of `ranking` (n,), from the largest down: how many are positive, and how many there are.

    `positive` (n,): true or false.
    """
    _, place = np.unique(-ranking, return_inverse=True)
    return np.bincount(place, weights=positive), np.bincount(place)


def _average_precision(ranking: np.ndarray, positive: np.ndarray) -> float:
    positives, members = _by_score(ranking, positive)
    precision = np.cumsum(positives) / np.cumsum(members)
    return float(positives @ precision / max(positives.sum(), 1))


def _classified(logits: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logits as float64, and targets. Raises ValueError as the module says."""
    logits, targets = np.asarray(logits), np.asarray(targets)
    if logits.ndim != 2 or logits.shape[1] < 2 or targets.shape != logits.shape[:1] or not len(targets):
        raise ValueError(
            f"logits {logits.shape}, targets {targets.shape}; allowed: (n, classes) and (n,), n >= 1, 2 classes or more"
        )
    if targets.dtype.kind not in "iu":
        raise ValueError(f"targets: {targets.dtype}; allowed: whole numbers, the classes")
    if targets.min() < 0 or targets.max() >= logits.shape[1]:
        raise ValueError(f"targets: {targets.min()} to {targets.max()}; allowed: classes 0 to {logits.shape[1] - 1}")
    return _finite("logits", logits), targets


def _predicted(predictions: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both (n,) as float64. Raises ValueError as the module says."""
    predictions, targets = np.asarray(predictions), np.asarray(targets)
    if targets.ndim != 1 or predictions.shape not in (targets.shape, (*targets.shape, 1)) or not len(targets):
        raise ValueError(
            f"predictions {predictions.shape}, targets {targets.shape}; allowed: (n,) or (n, 1), and (n,), n >= 1"
        )
    return _finite("predictions", predictions.reshape(targets.shape)), _finite("targets", targets)


def _finite(name: str, values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, np.float64)
    bad = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))
    if len(bad):
        raise ValueError(
            f"{name}: not finite in {len(bad)} of {len(values)} examples, first in example {bad[0]}; "
            "allowed: finite numbers"
        )
    return values
