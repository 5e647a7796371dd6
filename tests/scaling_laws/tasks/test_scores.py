"""Scores beside the loss, against scikit-learn on many small cases, by hand, and on logits no probability can hold."""

import itertools
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.calibration import calibration_curve

from scaling_laws.spec import Spec
from scaling_laws.table import RUNS
from scaling_laws.tasks import scores as own
from scaling_laws.tasks.scores import scores

MANY = settings(max_examples=80, deadline=None)
TWO = Spec("vector", (3,), 2)
NUMBER = Spec("vector", (3,), 1, loss="squared_error")


def close(value):
    return pytest.approx(value, rel=1e-6, abs=1e-6)


@st.composite
def classified(draw, least=2, most=10):
    """Logits (n, V) float32, often tied, and targets (n,) of some of the V classes, some of them rare."""
    n_classes, n = draw(st.integers(least, most)), draw(st.integers(1, 40))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    known = draw(st.lists(st.integers(0, n_classes - 1), min_size=1, max_size=n_classes))  # repeated: more often
    targets = generator.choice(known, n)
    logits = draw(st.sampled_from([0.0, 0.5, 3.0])) * generator.normal(size=(n, n_classes))
    logits[np.arange(n), targets] += draw(st.sampled_from([0.0, 1.0, 4.0]))
    if draw(st.booleans()):
        logits = logits.round()
    if draw(st.booleans()):
        logits -= draw(st.sampled_from([0, 5])) * (np.arange(n_classes) % 3 == 0)  # classes that are not predicted
    return logits.astype(np.float32), targets.astype(np.int32)


@st.composite
def predicted(draw):
    n = draw(st.integers(1, 40))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    targets = draw(st.sampled_from([0.0, 1.0, 1e3])) * generator.normal(size=n) + draw(st.sampled_from([0.0, 0.1, 100]))
    error = draw(st.sampled_from([0.0, 0.1, 10])) * generator.normal(size=n)
    targets = targets.astype(np.float32)
    return (targets + error).astype(np.float32), targets


def others(row, k):
    """Sum of exp(logit - that of class k) over the other classes, rounded once."""
    return math.fsum(math.exp(float(other) - float(row[k])) for at, other in enumerate(row) if at != k)


def probabilities(logits):
    return np.array([[1 / (1 + others(row, k)) for k in range(len(row))] for row in logits])


def log_odds(logits):
    """Orders examples as probabilities do, without becoming 1."""
    return np.array([[-math.log(others(row, k)) for k in range(len(row))] for row in logits])


def mean_precision(logits, targets):
    """scikit-learn's average precision, over the classes that are there."""
    odds = log_odds(logits)
    return np.mean([metrics.average_precision_score(targets == k, odds[:, k]) for k in np.unique(targets)])


def quiet(score, *args, **kwargs):
    """scikit-learn's value without its warnings of what is not there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return score(*args, **kwargs)


@MANY
@given(classified())
def test_predicted_classes_score_as_in_sklearn(case):
    logits, targets = case
    top = logits.argmax(axis=1)
    assert own.accuracy(logits, targets) == close(metrics.accuracy_score(targets, top))
    assert own.balanced_accuracy(logits, targets) == close(quiet(metrics.balanced_accuracy_score, targets, top))
    for average in ("macro", "micro"):
        expected = quiet(metrics.precision_recall_fscore_support, targets, top, average=average)[:3]
        assert own.precision_recall_f1(logits, targets, average) == close(expected)


@MANY
@given(classified())
def test_probabilities_score_as_in_sklearn(case):
    logits, targets = case
    labels, found = range(logits.shape[1]), probabilities(logits)
    assert own.log_loss(logits, targets) == close(metrics.log_loss(targets, found, labels=labels))
    assert own.brier(logits, targets) == close(metrics.brier_score_loss(targets, found, labels=labels))
    if len(labels) == 2:
        one = metrics.brier_score_loss(targets, found[:, 1], pos_label=1)
        assert own.brier(logits, targets) == close(one)


@MANY
@given(classified(most=2), st.integers(0, 1))
def test_areas_of_two_classes_as_in_sklearn(case, positive):
    logits, targets = case
    margin = log_odds(logits)[:, positive]
    precision = quiet(metrics.average_precision_score, targets == positive, margin)
    assert own.pr_auc(logits, targets, positive) == close(precision)
    both = len(set(targets)) == 2
    area = metrics.roc_auc_score(targets == positive, margin) if both else math.nan
    assert own.roc_auc(logits, targets) == pytest.approx(area, abs=1e-6, nan_ok=True)


@MANY
@given(classified(least=3))
def test_average_precision_of_more_classes_as_in_sklearn(case):
    logits, targets = case
    assert own.pr_auc(logits, targets) == close(mean_precision(logits, targets))
    if len(np.unique(targets)) == logits.shape[1]:
        assert own.pr_auc(logits, targets) == close(metrics.average_precision_score(targets, log_odds(logits)))


@MANY
@given(classified())
def test_calibration_error_as_by_the_curve_of_sklearn(case):
    logits, targets = case
    confidence, right = probabilities(logits).max(axis=1), logits.argmax(axis=1) == targets
    edges = np.linspace(0, 1, 16)
    shares = [((low < confidence) & (confidence <= high)).mean() for low, high in itertools.pairwise(edges)]
    accuracies, confidences = calibration_curve(right, confidence, n_bins=15, strategy="uniform", pos_label=True)
    expected = np.array([share for share in shares if share]) @ np.abs(accuracies - confidences)
    assert own.calibration_error(logits, targets) == close(expected)


@MANY
@given(predicted(), st.booleans())
def test_numbers_score_as_in_sklearn(case, as_column):
    predictions, targets = case
    one, other = (np.float64(values) for values in (targets, predictions))
    outputs = predictions[:, None] if as_column else predictions
    share = metrics.r2_score(one, other) if len(targets) > 1 else math.nan
    assert own.r2(outputs, targets) == pytest.approx(share, rel=1e-6, abs=1e-6, nan_ok=True)
    assert own.mean_absolute_error(outputs, targets) == close(metrics.mean_absolute_error(one, other))


def test_constant_targets():
    assert own.r2(np.full(3, 0.1), np.full(3, 0.1)) == 1
    assert own.r2(np.array([0.1, 0.1, 0.2]), np.full(3, 0.1)) == 0


def test_calibration_error_by_hand():
    logits = np.log([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.5, 0.5]])
    targets = np.array([0, 1, 1, 0])  # three bins of 0.9, 0.7 and 0.5: half, all and all are right
    assert own.calibration_error(logits, targets) == pytest.approx(2 / 4 * 0.4 + 0.3 / 4 + 0.5 / 4)


@pytest.mark.parametrize("n_classes", [3, 5])
def test_confidence_on_an_edge_is_of_the_bin_below(n_classes):
    logits = np.zeros((2, n_classes))
    logits[1, 0] = 0.01  # a little more confident than one over the classes, hence in the next bin
    found = own.calibration_error(logits, np.array([0, 1]))
    assert found == pytest.approx((1 - 1 / n_classes + probabilities(logits)[1, 0]) / 2)


@pytest.mark.parametrize("n_classes", [2, 3, 5, 6, 10])
def test_equal_logits_are_calibrated_to_one_over_the_classes(n_classes):
    targets = np.arange(n_classes)
    assert own.calibration_error(np.zeros((n_classes, n_classes)), targets) == pytest.approx(0, abs=1e-12)
    assert own.log_loss(np.zeros((n_classes, n_classes)), targets) == pytest.approx(math.log(n_classes))


def test_the_order_of_logits_breaks_no_tie():
    row = np.array([0.1, 0.7, -0.3, 1.1, 2.3, -1.9, 0.4], np.float32)
    logits = np.array([[2.5, *np.random.default_rng(seed).permutation(row)] for seed in range(30)], np.float32)
    targets = np.arange(30) % 2
    assert {float(odds) for odds in log_odds(logits)[:, 0]} == {log_odds(logits)[0, 0]}
    assert own.pr_auc(logits, targets) == close(mean_precision(logits, targets))


@pytest.mark.parametrize("n_classes", [2, 4])
def test_scores_do_not_saturate_where_probabilities_do(n_classes):
    logits = np.zeros((4, n_classes), np.float32)
    logits[:, 1] = [50, 60, 70, 80]
    perfect = np.array([0, 0, 1, 1])
    assert own.pr_auc(logits, perfect, 1) == 1
    assert n_classes > 2 or own.roc_auc(logits, perfect) == 1
    assert own.log_loss(logits, np.zeros(4, int)) == pytest.approx(65)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("spec", [TWO, Spec("image", (2, 2, 1), 3)])
def test_huge_logits_and_absent_classes_warn_of_nothing(spec):
    logits = np.full((4, spec.outputs), -3e38, np.float32)
    logits[:, 1] = 3e38
    found = scores(spec, logits, np.ones(4, np.int32), 0)
    assert found["accuracy"] == found["f1_macro"] == 1
    assert found["calibration_error"] == found["brier"] == 0
    assert "roc_auc" not in found
    assert scores(spec, logits, np.zeros(4, np.int32), 0)["calibration_error"] == 1


def test_scores_are_columns_of_the_runs_table_and_those_that_apply():
    logits, targets = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32), np.arange(20) % 2
    two = scores(TWO, logits[:, :2], targets, 1)
    three = scores(Spec("vector", (3,), 3), logits, targets, None)
    numbers = scores(NUMBER, logits[:, :1], logits[:, 1], None)
    of_classes = [f"{name}_{average}" for average in ("macro", "micro") for name in ("precision", "recall", "f1")]
    assert list(two) == ["accuracy", *of_classes, "pr_auc", "roc_auc", "calibration_error", "brier"]
    assert list(three) == [name for name in two if name != "roc_auc"]
    assert list(numbers) == ["r2", "mean_absolute_error"]
    assert {*two, *numbers} <= set(RUNS.names)
    assert all(type(value) is float for value in [*two.values(), *three.values(), *numbers.values()])


def test_scores_are_those_of_the_functions():
    logits, targets = np.random.default_rng(1).normal(size=(30, 2)).astype(np.float32), np.arange(30) % 3 // 2
    found = scores(TWO, logits, targets, 1)
    for average in ("macro", "micro"):
        names = [f"{name}_{average}" for name in ("precision", "recall", "f1")]
        assert tuple(found[name] for name in names) == own.precision_recall_f1(logits, targets, average)
    for name in ("accuracy", "roc_auc", "calibration_error", "brier"):
        assert found[name] == getattr(own, name)(logits, targets)
    assert found["pr_auc"] == own.pr_auc(logits, targets, 1) != own.pr_auc(logits, targets, 0)
    numbers = scores(NUMBER, logits[:, 0], logits[:, 1], None)
    assert numbers["r2"] == own.r2(logits[:, 0], logits[:, 1])
    assert numbers["mean_absolute_error"] == own.mean_absolute_error(logits[:, 0], logits[:, 1])


def test_what_is_not_defined_is_left_out():
    one = scores(TWO, np.zeros((1, 2), np.float32), np.zeros(1, int), 1)
    assert "roc_auc" not in one
    assert one["pr_auc"] == 0
    assert list(scores(NUMBER, np.zeros(1), np.ones(1), None)) == ["mean_absolute_error"]


ZEROS, CLASSES = np.zeros((3, 2), np.float32), np.array([0, 1, 0])


@pytest.mark.parametrize(
    "spec, outputs, targets, positive, words",
    [
        (TWO, ZEROS[0], CLASSES, 1, r"\(2,\); allowed: \(n, 2\)"),
        (TWO, np.zeros((3, 3)), CLASSES, 1, r"\(3, 3\); allowed: \(n, 2\)"),
        (TWO, ZEROS, CLASSES[:2], 1, r"logits \(3, 2\), targets \(2,\); allowed:"),
        (TWO, ZEROS[:0], CLASSES[:0], 1, "n >= 1"),
        (TWO, ZEROS, CLASSES + 1, 1, "targets: 1 to 2; allowed: classes 0 to 1"),
        (TWO, ZEROS, CLASSES - 1, 1, "targets: -1 to 0"),
        (TWO, ZEROS, CLASSES * 1.0, 1, "targets: float64; allowed: whole numbers"),
        (
            TWO,
            np.array([[0, 0], [np.nan, 1], [1, np.inf]]),
            CLASSES,
            1,
            "logits: not finite in 2 of 3 examples, first in example 1",
        ),
        (TWO, ZEROS, CLASSES, None, "positive: None; allowed: 0 or 1"),
        (TWO, ZEROS, CLASSES, 2, "positive: 2; allowed: 0 or 1"),
        (NUMBER, ZEROS, CLASSES, None, r"predictions \(3, 2\), targets \(3,\); allowed: \(n,\) or \(n, 1\)"),
        (NUMBER, ZEROS[:0, 0], CLASSES[:0], None, "n >= 1"),
        (NUMBER, ZEROS[:, 0], ZEROS[:, :1], None, r"targets \(3, 1\)"),
        (NUMBER, np.full(3, np.nan), CLASSES, None, "predictions: not finite in 3 of 3"),
        (NUMBER, np.zeros(3), np.array([0, 0, np.inf]), None, "targets: not finite in 1 of 3"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(spec, outputs, targets, positive, words):
    with pytest.raises(ValueError, match=words) as caught:
        scores(spec, outputs, targets, positive)
    assert "\n" not in str(caught.value)


def test_functions_refuse_what_they_do_not_know():
    with pytest.raises(ValueError, match="average: 'weighted'; allowed: macro, micro"):
        own.precision_recall_f1(ZEROS, CLASSES, "weighted")
    with pytest.raises(ValueError, match="of 3 classes; allowed: 2"):
        own.roc_auc(np.zeros((3, 3)), CLASSES)
    with pytest.raises(ValueError, match=r"logits \(3, 1\)"):
        own.accuracy(np.zeros((3, 1)), CLASSES)
