"""Stacking against scikit-learn's own path, and what it is told out of fold."""

import numpy as np
import pytest
from scipy import special
from sklearn.linear_model import LogisticRegression, Ridge

from scaling_laws.config import ConfigError, ExperimentConfig, replace
from scaling_laws.ensembles import grouping, stacking
from scaling_laws.spec import Spec, text
from scaling_laws.sweep.planned import TaskFacts
from scaling_laws.tasks import samples
from scaling_laws.tasks.task import Task

rng = np.random.default_rng(0)


def table(n, outputs):
    targets = rng.integers(0, 3, n).astype(np.int32) if outputs > 1 else rng.normal(size=n).astype(np.float32)
    split = {"inputs": rng.normal(size=(n, 2)).astype(np.float32), "targets": targets}
    form = Spec("vector", (2,), outputs, loss="cross_entropy" if outputs > 1 else "squared_error")
    return Task("table", form, split, split, split, content_hash="x", fixed={})


def test_every_example_is_told_by_the_run_that_did_not_read_it():
    task = table(60, 3)
    outputs = np.arange(4)[:, None, None] + np.zeros((4, 60, 3))
    told = stacking.out_of_fold(task, 4, outputs)
    for fold in range(4):
        read = samples.examples(task, samples.Sample(folds=4, fold=fold))
        assert not set(read.tolist()) & set(np.flatnonzero(told[:, 0] == fold).tolist())


def test_of_classes_it_is_the_logistic_regression_on_log_probabilities():
    task = table(200, 3)
    one, two = ((rng.normal(size=(200, 3)) + k * np.eye(3)[task.train["targets"]]) * 3 for k in (2, 0.5))
    found = stacking.stacked(task.spec, [one[:150], two[:150]], task.train["targets"][:150], [one[150:], two[150:]])
    columns = np.concatenate([special.log_softmax(one, axis=1), special.log_softmax(two, axis=1)], axis=1)
    assert columns.min() > stacking.LOWEST
    scaled = (columns - columns[:150].mean(axis=0)) / columns[:150].std(axis=0)
    own = LogisticRegression(max_iter=2000).fit(scaled[:150], task.train["targets"][:150])
    np.testing.assert_allclose(found, own.predict_log_proba(scaled[150:]), rtol=1e-3, atol=1e-3)
    places = np.arange(50)
    losses = stacking.losses(task, found, places)
    np.testing.assert_allclose(losses, -found[places, task.heldout["targets"][:50]])
    weighed = Task(**{**vars(task), "fixed": {"class_weights": np.array([1.0, 2.0, 3.0])}})
    np.testing.assert_allclose(stacking.losses(weighed, found, places), losses * (1 + task.heldout["targets"][:50]))


def test_classes_that_no_fold_has_seen_keep_their_place():
    outputs = rng.normal(size=(40, 3))
    found = stacking.stacked(Spec("vector", (2,), 3), [outputs], np.arange(40) % 2 * 2, [outputs])
    assert (found[:, 1] == stacking.UNSEEN).all()
    np.testing.assert_allclose(np.exp(found[:, [0, 2]]).sum(axis=1), 1)


def test_of_numbers_it_is_the_ridge_regression_of_the_predictions():
    task = table(80, 1)
    said = [task.train["targets"][:, None] + k * rng.normal(size=(80, 1)) for k in (0.3, 1.0)]
    found = stacking.stacked(task.spec, said, task.train["targets"], said)
    columns = np.concatenate(said, axis=1)
    scaled = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    np.testing.assert_allclose(found[:, 0], Ridge().fit(scaled, task.train["targets"]).predict(scaled), rtol=1e-6)
    errors = np.square(found[:, 0] - task.heldout["targets"])
    np.testing.assert_allclose(stacking.losses(task, found, np.arange(80)), errors)


def test_a_stack_is_of_all_shapes_of_a_seed_and_their_runs_fold_by_fold():
    settings = {"model.family": "mlp", "model.width": 0, "model.depth": 1, "sweep.steps": (60,), "sweep.seeds": (0, 3)}
    experiment = replace(ExperimentConfig(), settings | {"sweep.widths": (4, 8), "sweep.max_epochs": 10.0})
    facts = TaskFacts(1000, "c0ffee", Spec("image", (8, 8, 1), 10))
    bases = grouping.bases(experiment, facts)
    _, group = grouping.stacks(bases, 3, facts)
    assert [(one.run.model.width, one.run.train.seed) for one in group.members] == [(4, 3), (8, 3)]
    about = [(one.run.model.width, one.run.train.folds, one.run.train.fold) for one in group.beside]
    assert about == [(width, 3, fold) for width in (4, 8) for fold in range(3)]
    assert len({one.run_id for one in (*group.members, *group.beside)}) == 8
    with pytest.raises(ConfigError, match="--kind: stacking; allowed: deep, bagging"):
        grouping.stacks(bases, 3, TaskFacts(1000, "c0ffee", text(256, 128)))
