"""Rows of a table of examples as the compiled step reads them, from training to scores."""

import numpy as np
import pytest

from scaling_laws.config import RunConfig, replace
from scaling_laws.spec import Spec
from scaling_laws.tasks import examples, order
from scaling_laws.tasks.task import Task
from scaling_laws.train import loop
from scaling_laws.train.reading import read

SMALL = {
    "model.family": "mlp",
    "model.depth": 0,
    "train.steps": 60,
    "train.batch_size": 8,
    "train.checkpoint_seconds": 0.0,
    "optimizer.learning_rate": 0.1,
}


def table(n, seed):
    """Pictures of two pixels, of which the first tells the class."""
    pixels = np.random.default_rng(seed).integers(0, 256, (n, 1, 2, 1), np.uint8)
    return {"inputs": pixels, "targets": (pixels[:, 0, 0, 0] > 199).astype(np.int32)}


def task(**fixed):
    splits = {name: table(n, n) for name, n in (("train", 200), ("valid", 30), ("heldout", 50))}
    return Task("images", Spec("image", (1, 2, 1), 2), **splits, content_hash="feed", fixed=fixed)


SCALED = {"mean": np.array([100.0], np.float32), "scale": np.array([0.02], np.float32)}


def test_pixels_are_shifted_and_scaled_in_the_step():
    own = task(**SCALED)
    inputs, targets = read(own.spec, order.training(own), np.array([3, 0, 3]))
    np.testing.assert_allclose(inputs, (own.train["inputs"][[3, 0, 3]].astype(float) - 100) * 0.02, rtol=1e-6)
    np.testing.assert_array_equal(targets, own.train["targets"][[3, 0, 3]])


def test_validation_and_held_out_examples_are_read_each_from_its_own_split():
    own = task()
    for split, n in (("valid", 30), ("heldout", 50)):
        places = order.evaluated(own, split, 10**6)
        assert places.tolist() == list(range(n))
        found, _ = read(own.spec, order.evaluation(own), places + order.offset(own, split))
        np.testing.assert_array_equal(found, own.split(split)["inputs"])
        assert len(order.evaluated(own, split, 7)) == 7


@pytest.mark.parametrize("accumulation, balance", [(1, False), (4, False), (1, True)])
def test_loss_and_scores_are_those_of_the_held_out_split(accumulation, balance, tmp_path):
    run, seen, own = replace(RunConfig(), SMALL | {"train.accumulation": accumulation}), [], task(**SCALED)
    weights = examples.class_weights(own.train["targets"], 2) if balance else np.ones(2, np.float32)
    if balance:
        own = task(**SCALED, class_weights=weights)
    row, _ = loop.train(run, own, workdir=tmp_path, probe=lambda _, params: seen.append(params()))
    inputs, targets = (own.heldout["inputs"].reshape(50, 2) - 100.0) * 0.02, own.heldout["targets"]
    logits = inputs @ seen[-1]["params/linear"] + seen[-1]["params/linear_bias"]
    right = logits.argmax(axis=1) == targets
    log_shares = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    losses = -log_shares[np.arange(50), targets] * weights[targets]
    assert right.mean() > 0.8
    assert row["accuracy"] == pytest.approx(right.mean())
    assert row["loss"] == pytest.approx(losses.mean(), rel=1e-4)
    assert (row["eval_tokens"], row["context"], row["vocab_size"]) == (50, 1, 2)
