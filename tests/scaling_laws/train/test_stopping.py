"""Early stopping against runs that simply end at each look: the schedule is constant, so they are its beginnings."""

import math

import augmented
import numpy as np
import pytest

from scaling_laws import families
from scaling_laws.config import ConfigError, RunConfig, replace
from scaling_laws.spec import Spec
from scaling_laws.tasks.task import Task
from scaling_laws.techniques.regularisation import CHECKS
from scaling_laws.train import kept, loop, stopping
from scaling_laws.train.member import Order
from scaling_laws.validation import validate_run

STEPS, PATIENCE = 80, 3
SETTINGS = augmented.SMALL | {
    "train.steps": STEPS,
    "train.eval_tokens": 4096,  # all there are
    "train.curve_eval_tokens": 4096,
    "train.keep_parameters": True,
    "optimizer.schedule": "constant",
    "optimizer.warmup": 0.0,
    "optimizer.learning_rate": 0.1,
}


def task():
    """Three classes of vectors, which a perceptron learns by heart before long."""

    def table(n):
        rng = np.random.default_rng(n)
        inputs = rng.normal(size=(n, 6)).astype(np.float32)
        return {"inputs": inputs, "targets": (inputs[:, :3] + rng.normal(size=(n, 3))).argmax(axis=1).astype(np.int32)}

    splits = {name: table(n) for name, n in (("train", 48), ("valid", 60), ("heldout", 80))}
    return Task("table", Spec("vector", (6,), 3), **splits, content_hash="feed")


class Clock:
    """A watcher that knows the step."""

    step = 0

    def at(self, step):
        self.step = step

    def scalars(self, step, values): ...

    def hparams(self, values, final): ...


def run(**changes):
    return replace(RunConfig(), SETTINGS | {name.replace("__", "."): value for name, value in changes.items()})


def train(one, workdir, **options):
    return loop.train(one, task(), workdir=workdir, say=lambda _: None, **options)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The validation loss of a run that ends at each look in turn until one has looked in vain for too long: the step
    of the last, and row and parameters of the best."""
    workdir, losses, rows = tmp_path_factory.mktemp("each"), {}, {}
    for look in range(STEPS // CHECKS, STEPS + 1, STEPS // CHECKS):
        rows[look], curve = train(run(train__steps=look), workdir)
        losses[look] = curve[-1]["loss"]
        best = min(losses, key=losses.__getitem__)
        if (look - best) // (STEPS // CHECKS) >= PATIENCE:
            break
    assert 2 < best < look < STEPS - 2, "a test of nothing"
    return look, rows[best], kept.read(workdir, rows[best]["run_id"])


def assert_ended(row, parameters, expected):
    step, best, wanted = expected
    assert (row["status"], row["steps"], row["steps_done"]) == ("finished", STEPS, step)
    assert (row["technique"], row["strength"]) == ("early_stopping", pytest.approx(1 / PATIENCE))
    assert row["tokens"] == step * 8
    assert row["flops"] == families.count(run().model, task().spec).flops_per_token * step * 8
    assert {name: row[name] for name in ("loss", "loss_se", "accuracy")} == {
        name: best[name] for name in ("loss", "loss_se", "accuracy")
    }
    for name, leaf in wanted.items():
        np.testing.assert_array_equal(parameters[name], leaf)


def test_it_ends_after_looks_in_vain_with_the_parameters_of_the_lowest(expected, tmp_path):
    row, curve = train(run(regularise__patience=PATIENCE), tmp_path)
    assert_ended(row, kept.read(tmp_path, row["run_id"]), expected)
    assert curve[-1]["step"] <= row["steps_done"]


@pytest.mark.parametrize("back", [3, 5, 7])  # steps before the end, about: the best look is 6 before
def test_it_goes_on_from_a_checkpoint_as_if_nothing_had_been(back, expected, tmp_path):
    clock, one = Clock(), run(regularise__patience=PATIENCE)
    with pytest.raises(loop.StopRequested):
        train(one, tmp_path, watch=clock, stop=lambda: clock.step >= expected[0] - back)
    row, _ = train(one, tmp_path)
    assert row["resumed"] == 1
    assert_ended(row, kept.read(tmp_path, row["run_id"]), expected)


def test_in_a_pack_each_ends_by_itself(expected, tmp_path):
    others = [run(), run(regularise__patience=PATIENCE), run(regularise__patience=CHECKS)]
    found = loop.train_pack([Order(each) for each in others], task(), workdir=tmp_path, say=lambda _: None)
    rows = {row["strength"]: row for row, _ in found}
    assert_ended(rows[1 / PATIENCE], kept.read(tmp_path, rows[1 / PATIENCE]["run_id"]), expected)
    assert rows[0.0]["steps_done"] == STEPS
    alone, _ = train(run(), tmp_path / "alone")
    assert rows[0.0]["loss"] == alone["loss"]  # the baseline beside them is the baseline
    assert rows[1 / CHECKS]["steps_done"] == STEPS  # the least strength never ends it, but takes the best parameters


def test_looks_are_evenly_spaced_and_the_last_is_the_end():
    assert stopping.looks(STEPS, 1) == list(range(2, STEPS + 1, 2))
    assert stopping.looks(7, 1) == [1, 2, 3, 4, 5, 6, 7]
    for steps in (39, 41, 1000, 1001):
        looks = stopping.looks(steps, 1)
        assert len(looks) == min(steps, CHECKS)
        assert looks[-1] == steps
        assert max(np.diff(looks)) <= math.ceil(steps / CHECKS)
    assert stopping.looks(STEPS, 0) == []


def test_a_branch_of_a_trunk_cannot_end_early():
    with pytest.raises(ConfigError, match=r"regularise\.patience: 2; allowed: 0"):
        validate_run(run(regularise__patience=2, optimizer__schedule="wsd", optimizer__warmup_steps=3))
