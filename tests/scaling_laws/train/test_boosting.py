"""Boosting: what stands beneath a stage, what it learns, what the sum is, and which stages are refused."""

import re

import jax
import numpy as np
import pytest
from scipy import special
from shapes import quick_jit

from scaling_laws import hyper, spec, validation
from scaling_laws.config import ConfigError, RunConfig, form, replace
from scaling_laws.spec import Spec
from scaling_laws.table import Journal, read_runs
from scaling_laws.tasks import order
from scaling_laws.tasks.task import Task
from scaling_laws.train import boosting, feed, kept, loop, mixture, state
from scaling_laws.train.finished import Finished
from scaling_laws.train.shape import Shape
from scaling_laws.train.step import Step

SMALL = {"train.batch_size": 8, "train.steps": 12, "train.steps_per_dispatch": 4, "train.curve_points": 2}
SMALL |= {"train.keep_parameters": True, "model.depth": 1, "model.family": "mlp", "model.width": 6}
SMALL |= {"task.name": "table", "optimizer.learning_rate": 0.05}


def points(n):
    rng = np.random.default_rng(n)
    targets = rng.integers(0, 3, n).astype(np.int32)
    inputs = rng.normal(size=(n, 5)) + np.eye(5)[targets]
    return {"inputs": inputs.astype(np.float32), "targets": targets}


TASK = Task("table", Spec("vector", (5,), 3), points(120), points(30), points(50), content_hash="points")


def stage(previous=None, **changes):
    given = {"boost.previous": previous} if previous else {}
    return replace(RunConfig(), SMALL | given | {name.replace("__", "."): value for name, value in changes.items()})


def train(run, workdir, task=TASK):
    row, curve = loop.train(run, task, workdir=workdir, say=lambda _: None)
    with Journal(workdir) as journal:
        journal.append(row, curve)
    return row


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def chain(workdir):
    """Three stages, of which the sum takes all, half and all."""
    first = train(stage(), workdir)
    second = train(stage(first["run_id"], train__seed=1, boost__rate=0.5), workdir)
    return [first, second, train(stage(second["run_id"], train__seed=2), workdir)]


def logits(workdir, row, split):
    """(n, 3) of a stage alone, by hand; CompleteP's multiplier of the head is 64 / 6."""
    found = kept.read(workdir, row["run_id"])
    given = {name.removeprefix("params/"): np.float64(leaf) for name, leaf in found.items()}
    hidden = np.maximum(split["inputs"] @ given["input"] + given["input_bias"], 0)
    return 64 / 6 * hidden @ given["head"] + given["head_bias"]


def nats(outputs):
    return -special.log_softmax(outputs, axis=1)[np.arange(50), TASK.heldout["targets"]].mean()


def test_beneath_a_stage_stands_the_sum_of_those_before(workdir, chain):
    train_arrays, evaluated = boosting.offsets(stage(chain[1]["run_id"]), TASK, workdir)
    for found, split in ((train_arrays, TASK.train), (evaluated, order.evaluation(TASK))):
        wanted = logits(workdir, chain[0], split) + 0.5 * logits(workdir, chain[1], split)
        np.testing.assert_allclose(found["offset"], wanted, rtol=1e-4, atol=1e-5)


def test_a_stage_learns_from_the_loss_of_the_sum(workdir, chain):
    run = stage(chain[0]["run_id"])
    data, _ = feed.data_of(run, TASK, workdir)
    step, starts = Step(Shape.of(run, TASK.spec)), np.array([3, 50, 7, 90])
    template = step.abstract_state()
    params = state.tree(template, state.initial(state.named(template), step.rules, 4))["params"]
    beneath = logits(workdir, chain[0], TASK.train)[starts].astype(np.float32)

    def wanted(params):
        outputs = step.module.apply({"params": params}, TASK.train["inputs"][starts]) + beneath
        return -(jax.nn.one_hot(TASK.train["targets"][starts], 3) * jax.nn.log_softmax(outputs)).sum(1).mean()

    _, grads = quick_jit(step._loss_and_gradients)(params, hyper.hyperparameters(run), data, starts)
    expected = quick_jit(jax.grad(wanted))(params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-6), grads, expected)


def test_a_stages_own_loss_is_that_of_the_sum_with_it_in_full(workdir, chain):
    parts = [logits(workdir, row, TASK.heldout) for row in chain]
    assert chain[1]["loss"] == pytest.approx(nats(parts[0] + parts[1]), rel=1e-5)
    assert chain[2]["loss"] == pytest.approx(nats(parts[0] + 0.5 * parts[1] + parts[2]), rel=1e-5)
    rows = {row["run_id"]: row for row in read_runs(workdir).to_pylist()}
    members = [Finished.of(rows[row["run_id"]], workdir) for row in chain]
    found = mixture.evaluate(members, TASK, weights=boosting.rates([rows[row["run_id"]] for row in chain]))
    assert found.losses.mean() == pytest.approx(chain[2]["loss"], rel=1e-5)


def test_the_row_counts_the_stages_before_and_their_passes(chain):
    forward = 2 * (5 * 6 + 6 * 3) * 120
    assert [row["technique"] for row in chain] == ["none", "boost", "boost"]
    assert [row["extra_flops"] for row in chain] == [None, forward, 2 * forward]
    assert chain[0]["pretrain_flops"] is None
    assert chain[1]["pretrain_flops"] == chain[0]["flops"]
    assert chain[2]["pretrain_flops"] == chain[0]["flops"] + chain[1]["flops"] + forward


def test_a_stage_that_finds_nothing_to_mend_is_not_dead(workdir, chain):
    still = {"optimizer__learning_rate": 0.0, "train__steps": 60}
    assert train(stage(chain[0]["run_id"], **still), workdir)["status"] == "finished"
    assert train(stage(**still), workdir)["status"] == "dead"


def test_stages_on_unlike_sums_share_no_pack():
    one, other = (stage(name * 16) for name in "ab")
    assert form(one) != form(other)
    assert form(one) == form(replace(one, {"train.seed": 3}))


def test_what_cannot_be_boosted_is_refused(workdir, chain):
    name = chain[0]["run_id"]
    with pytest.raises(ConfigError, match=re.escape("boost.rate: 0.5; allowed: 1.0 without boost.previous")):
        validation.validate_run(stage(boost__rate=0.5))
    with pytest.raises(ConfigError, match=r"boost\.previous: allowed: empty where no table"):
        validation.check_task(replace(RunConfig(), {"boost.previous": name}), spec.text(256, 128))
    with pytest.raises(ConfigError, match=r"boost\.previous: allowed: empty with augment"):
        validation.check_task(stage(name, augment__noise=0.1), TASK.spec)
    other = Task(**{**vars(TASK), "content_hash": "other"})
    with pytest.raises(ConfigError, match=rf"boost\.previous: run {name} is of other data; allowed: of the same"):
        train(stage(name), workdir, other)
