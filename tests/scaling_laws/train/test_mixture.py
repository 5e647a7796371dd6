"""Ensembles against NumPy, and of one member against the run itself."""

import json

import numpy as np
import pytest
from scipy import special

from scaling_laws import spec
from scaling_laws.config import ConfigError, RunConfig, replace
from scaling_laws.ensembles import rows
from scaling_laws.spec import Spec
from scaling_laws.table import Journal, read_runs
from scaling_laws.tasks import measured
from scaling_laws.tasks.task import Task
from scaling_laws.train import loop, mixture
from scaling_laws.train.finished import Finished
from scaling_laws.train.member import Order

SMALL = {"train.batch_size": 8, "train.steps": 12, "train.steps_per_dispatch": 4, "train.curve_points": 2}
SMALL |= {"train.keep_parameters": True, "model.depth": 1}
MLP = SMALL | {"model.family": "mlp", "model.width": 6, "task.name": "table", "optimizer.learning_rate": 0.05}


def points(n):
    rng = np.random.default_rng(n)
    targets = rng.integers(0, 3, n).astype(np.int32)
    inputs = rng.normal(size=(n, 5)) + 2 * np.eye(5)[targets]
    return {"inputs": inputs.astype(np.float32), "targets": targets}


TASK = Task("table", Spec("vector", (5,), 3), points(120), points(30), points(50), content_hash="points")


def trained(runs, task, workdir):
    """Members, by their rows as the table of `workdir` has them."""
    ended = list(loop.train_pack([Order(run) for run in runs], task, workdir=workdir, say=lambda _: None))
    with Journal(workdir) as journal:
        for row, curve in ended:
            journal.append(row, curve)
    found = {row["run_id"]: row for row in read_runs(workdir).to_pylist()}
    return [Finished.of(found[row["run_id"]], workdir) for row, _ in ended]


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    runs = [replace(RunConfig(), MLP | {"train.seed": seed}) for seed in range(3)]
    return trained(runs, TASK, tmp_path_factory.mktemp("runs"))


def by_hand(member):
    """(n, O) logits of a perceptron with one hidden layer; CompleteP's multiplier of the head is 64 / 6."""
    given = {name.removeprefix("params/"): np.float64(leaf) for name, leaf in member.parameters.items()}
    hidden = np.maximum(TASK.heldout["inputs"] @ given["input"] + given["input_bias"], 0)
    return 64 / 6 * hidden @ given["head"] + given["head_bias"]


def nats(log_p):
    return -log_p[np.arange(50), TASK.heldout["targets"]]


def test_one_member_is_bitwise_the_run(members):
    for average in mixture.AVERAGES:
        found = mixture.evaluate(members[:1], TASK, average=average)
        columns = measured.columns(TASK, found.losses, found.places, found.outputs)
        assert columns == {name: members[0].row[name] for name in columns}
        assert len(columns) > 10


def test_one_member_is_bitwise_the_run_of_a_text(tmp_path):
    rng = np.random.default_rng(0)
    splits = {name: {"tokens": rng.integers(1, 9, n).astype(np.uint8)} for name, n in
              (("train", 800), ("valid", 200), ("heldout", 900))}  # fmt: skip
    task = Task("text", spec.text(256, 16), **splits, token_bytes=np.ones(256, int), content_hash="feed")
    run = replace(RunConfig(), SMALL | {"model.width": 8, "model.head_dim": 4, "task.context": 16})
    (member,) = trained([replace(run, {"train.accumulation": 2})], task, tmp_path)
    found = mixture.evaluate([member], task)
    columns = measured.columns(task, found.losses, found.places, found.outputs)
    assert columns == {name: member.row[name] for name in columns}
    assert "bits_per_byte" in columns


def test_a_rounded_member_is_refused(members, tmp_path):
    row = {**members[0].row, "config": json.dumps({"quantize.weight_bits": 4})}
    with pytest.raises(ConfigError, match=f"run {row['run_id']} is rounded"):
        Finished.of(row, tmp_path)


def test_logits_are_averaged(members):
    found = mixture.evaluate(members, TASK)
    logits = np.mean([by_hand(member) for member in members], axis=0)
    np.testing.assert_allclose(found.outputs, logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.losses, nats(special.log_softmax(logits, axis=1)), rtol=1e-4, atol=1e-5)
    weighted = mixture.evaluate(members, TASK, weights=[1.0, 0.5, 0.0])
    by_weight = by_hand(members[0]) + 0.5 * by_hand(members[1])
    np.testing.assert_allclose(weighted.outputs, by_weight, rtol=1e-4, atol=1e-5)


def test_probabilities_are_averaged(members):
    found = mixture.evaluate(members, TASK, average="probabilities")
    mean = np.mean([special.softmax(by_hand(member), axis=1) for member in members], axis=0)
    np.testing.assert_allclose(found.losses, nats(np.log(mean)), rtol=1e-4, atol=1e-5)
    assert np.abs(found.losses - mixture.evaluate(members, TASK).losses).max() > 1e-3


def test_the_row_counts_every_member(members, tmp_path):
    own = [member.row for member in members]
    found = measured.columns(TASK, *vars(mixture.evaluate(members, TASK)).values())
    row = rows.row("deep", own, found, {"average": "logits"}, 2.0)
    with Journal(tmp_path) as journal:
        journal.append(row)
        (kept,) = journal.rows()
    assert (kept["technique"], kept["strength"], kept["purpose"]) == ("ensemble", 2.0, "ensemble")
    assert kept["n_params"] == 3 * own[0]["n_params"]
    assert kept["flops"] + kept["extra_flops"] == sum(member["flops"] for member in own)
    assert (kept["flops"], kept["tokens"], kept["width"]) == tuple(
        own[0][name] for name in ("flops", "tokens", "width")
    )
    assert kept["loss"] == found["loss"] != own[0]["loss"]
    assert kept["pretrain_flops"] is kept["wall_seconds"] is None
    alone = rows.row("deep", own[:1], {}, {}, 0.0)
    assert (alone["strength"], alone["extra_flops"]) == (0.0, None)


def test_members_and_their_order_are_the_identity(members):
    def name(ids, kind="deep", **about):
        given = [{**members[0].row, "run_id": each} for each in ids]
        return rows.row(kind, given, {}, about, 1.0)["run_id"]

    names = [name("ab"), name("ba"), name("abc"), name("ab", "bagging"), name("ab", average="logits")]
    assert len({*names}) == 5
    assert name("ab") == names[0]


def test_what_members_rest_on_counts_once_and_unlike_sizes_have_no_width(members):
    def like(**changes):
        given = {**members[0].row, "extra_flops": 1.0, "pretrain_flops": 5.0, "teacher_run": "t"}
        return {**given, **changes}

    unlike = [like(), like(width=9, family="vit"), like(teacher_run="u", pretrain_flops=7.0)]
    row = rows.row("stacking", unlike, {}, {}, 1.0)
    assert row["pretrain_flops"] == 12.0
    assert row["extra_flops"] == 2 * members[0].row["flops"] + 3.0
    assert (row["width"], row["family"], row["depth"]) == (0, "mlp+vit", 1)
