"""Fine-tuning: where a run begins, what rests in it to the last bit, and what is refused."""

import itertools
import re

import numpy as np
import pytest

from scaling_laws import hyper, table
from scaling_laws.config import ConfigError, RunConfig, identity, replace
from scaling_laws.spec import Spec
from scaling_laws.table import Journal
from scaling_laws.tasks.task import Task
from scaling_laws.train import arrays, kept, loop, saved, takeover
from scaling_laws.train.layout import Layout
from scaling_laws.train.member import Order
from scaling_laws.train.programs import stack

SMALL = {
    "model.family": "mlp",
    "model.width": 6,
    "model.depth": 3,
    "train.batch_size": 8,
    "train.steps": 12,
    "train.steps_per_dispatch": 4,
    "train.curve_points": 2,
    "optimizer.learning_rate": 0.01,
    "train.keep_parameters": True,
}
FORMS = {"embedding": ("input",), "blocks": ("input", "block_0"), "body": ("input", "block_0", "block_1")}


def a_task(classes, n=200):
    rng = np.random.default_rng(classes)
    centres = rng.normal(size=(classes, 5))

    def split(n):
        targets = rng.integers(0, classes, n).astype(np.int32)
        return {"inputs": (centres[targets] + rng.normal(size=(n, 5))).astype(np.float32), "targets": targets}

    form = Spec("vector", (5,), classes)
    return Task("table", form, split(n), split(60), split(90), content_hash=f"task of {classes}")


THREE, FOUR = a_task(3), a_task(4)


def tuned(source, **changes):
    named = {name.replace("__", "."): value for name, value in changes.items()}
    return replace(RunConfig(), SMALL | {"transfer.source": source} | named)


def train(run, task, workdir, **options):
    return loop.train(run, task, workdir=workdir, say=lambda _: None, **options)


def in_table(run, task, workdir):
    row, curve = train(run, task, workdir)
    with Journal(workdir) as journal:
        journal.append(row, curve)
    return row["run_id"]


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def source(workdir):
    return in_table(replace(RunConfig(), SMALL), THREE, workdir)


@pytest.fixture(scope="module")
def other(workdir):
    return in_table(replace(RunConfig(), SMALL | {"train.seed": 1}), THREE, workdir)


def bits(parameters, names=None):
    """Those whose name begins so: name -> bytes."""
    return {
        name: leaf.tobytes()
        for name, leaf in parameters.items()
        if names is None or name.removeprefix("params/").startswith(names)
    }


def test_at_rate_zero_a_run_ends_where_its_source_did(workdir, source):
    row, _ = train(tuned(source, optimizer__learning_rate=0.0, train__seed=5), THREE, workdir)
    assert bits(kept.read(workdir, row["run_id"])) == bits(kept.read(workdir, source))
    assert row["loss"] == {r["run_id"]: r["loss"] for r in table.read_runs(workdir).to_pylist()}[source]


def test_the_head_is_drawn_anew_where_outputs_differ_or_it_is_asked_for(workdir, source):
    begun = kept.read(workdir, source)
    for changes, task in (({}, FOUR), ({"transfer__new_head": True}, THREE)):
        run = tuned(source, optimizer__learning_rate=0.0, train__seed=5, **changes)
        row, _ = train(run, task, workdir)
        found = kept.read(workdir, row["run_id"])
        below = ("input", "block")
        assert bits(found, below) == bits(begun, below)
        built = loop.programs_of(run, task, Layout())
        assert bits(found, ("head",)) == bits(built.initial_state(5), ("head",))  # as from scratch
        assert len(found) == len(begun)


@pytest.mark.parametrize(
    "frozen, changes",
    [
        ("body", {"optimizer.weight_decay": 0.5, "optimizer.clip_norm": 0.01, "optimizer.epsilon": 0.0}),
        ("embedding", {"optimizer.weight_decay": 0.5, "optimizer.independent_decay": True, "train.average": "ema"}),
        ("blocks", {"optimizer.name": "sgd", "optimizer.nesterov": True, "optimizer.weight_decay": 0.5}),
    ],
)
def test_what_rests_is_the_sources_bit_for_bit_and_the_rest_learns(workdir, source, frozen, changes):
    run = replace(tuned(source, transfer__frozen=frozen, transfer__frozen_blocks=int(frozen == "blocks")), changes)
    row, curve = train(run, THREE, workdir)
    begun, found = kept.read(workdir, source), kept.read(workdir, row["run_id"])
    still = bits(begun, FORMS[frozen])
    assert bits(found, FORMS[frozen]) == still
    assert all(found[name].tobytes() != begun[name].tobytes() for name in begun.keys() - still.keys())
    assert row["frozen_params"] == sum(begun[name].size for name in still)
    layers = ("input", "block_0", "block_1", "head")
    for quantity in ("layer_grad_norms", "layer_update_ratios"):
        assert [value == 0 for value in curve[-1][quantity]] == [layer in FORMS[frozen] for layer in layers]
    if "train.average" in changes:
        assert row["averaged_loss"] == pytest.approx(row["loss"], rel=0.3)
        assert np.isfinite(row["averaged_loss"])


def test_the_clip_norm_is_that_of_what_learns(workdir, source):
    """One step of plain SGD at rate 1, clipped to .01: the head moves by that much exactly."""
    changes = {"name": "sgd", "momentum": 0.0, "learning_rate": 1.0, "clip_norm": 0.01, "warmup": 0.0}
    rule = {f"optimizer.{name}": value for name, value in changes.items()} | {"optimizer.schedule": "constant"}
    run = replace(tuned(source, transfer__frozen="body", train__parametrization="standard"), rule)
    built = loop.programs_of(run, THREE, Layout())
    first = built.initial_state(0)
    state, starts = built.place_states([dict(first)]), np.arange(32, dtype=np.int32).reshape(1, 4, 8)
    after, *_ = built.advance(state, stack([hyper.hyperparameters(run)]), THREE.train, starts, 1, np.ones(1, bool))
    (found,) = built.fetch_states(after)
    moved = [np.square(found[name] - leaf).sum() for name, leaf in first.items() if name.startswith("params/")]
    assert np.sqrt(sum(moved)) == pytest.approx(0.01, rel=1e-3)


def test_a_pack_equals_its_members_alone_whatever_they_begin_from(workdir, source, other, tmp_path):
    there = {"transfer__source_workdir": str(workdir)}
    runs = [tuned(one, train__seed=seed, **there) for one in (source, other) for seed in (0, 3)]
    ended = loop.train_pack(
        [Order(run) for run in runs], FOUR, workdir=tmp_path / "pack", strategy="vmap", say=lambda _: None
    )
    packed = {row["run_id"]: row["loss"] for row, _ in ended}
    assert len(set(packed.values())) == 4
    for run in runs[:3:2]:
        row, _ = train(run, FOUR, tmp_path / "alone")
        assert packed[row["run_id"]] == pytest.approx(row["loss"], rel=1e-5)


def test_stopped_and_resumed_is_bit_for_bit_undisturbed(workdir, source, tmp_path):
    run = tuned(source, transfer__frozen="body", transfer__source_workdir=str(workdir))
    whole, curve = train(run, THREE, tmp_path / "whole")
    asked = itertools.count()
    with pytest.raises(loop.StopRequested):
        train(run, THREE, tmp_path / "cut", stop=lambda: next(asked) > 0)
    row, again = train(run, THREE, tmp_path / "cut")
    assert (row["resumed"], row["loss"], again) == (1, whole["loss"], curve)
    ids = [kept.read(tmp_path / name, row["run_id"]) for name in ("whole", "cut")]
    assert bits(ids[0]) == bits(ids[1])


def test_the_row_tells_of_its_source(workdir, source, tmp_path):
    run = tuned(source, transfer__frozen="blocks", transfer__frozen_blocks=1)
    first, second = (in_table(replace(run, {"train.seed": seed}), FOUR, workdir) for seed in (0, 1))
    chained, _ = train(tuned(first, train__steps=50), FOUR, workdir)
    rows = {row["run_id"]: row for row in table.read_runs(workdir).to_pylist()}
    begun, row = rows[source], rows[first]
    assert (begun["technique"], begun["strength"], begun["source_run"]) == ("none", 0.0, None)
    assert begun["finetune_tokens"] is begun["pretrain_flops"] is begun["frozen_params"] is None
    assert (row["technique"], row["strength"], row["source_run"]) == ("transfer", 3.0, source)
    assert (row["finetune_tokens"], row["pretrain_flops"]) == (12 * 8, begun["flops"])
    assert chained["strength"] == 1.0
    assert chained["finetune_tokens"] == 200  # distinct ones, of 400
    assert chained["pretrain_flops"] == begun["flops"] + row["flops"]
    assert chained["frozen_params"] == 0
    assert row["n_params"] - begun["n_params"] == 7  # another class
    assert first != second
    assert len({identity(replace(run, {"transfer.source": one}), "x") for one in (source, first)}) == 2
    moved = replace(run, {"transfer.source_workdir": str(tmp_path)})
    assert identity(moved, "x") == identity(run, "x")


def refused(run, workdir, line, kind=ConfigError, task=THREE):
    with pytest.raises(kind, match=f"^{re.escape(line)}$"):
        train(run, task, workdir)


def test_another_model_or_other_rules_are_refused(workdir, source):
    as_it_has = f"as transfer.source {source} has it"
    for changes, line in (
        ({"model__width": 8}, "model.width: 8; allowed: 6"),
        ({"model__depth": 2}, "model.depth: 2; allowed: 3"),
        ({"model__activation": "tanh"}, "model.activation: 'tanh'; allowed: 'relu'"),
        ({"train__parametrization": "mup"}, "train.parametrization: 'mup'; allowed: 'completep'"),
        ({"train__base_width": 7}, "train.base_width: 7; allowed: 64"),
    ):
        refused(tuned(source, **changes), workdir, f"{line}, {as_it_has}")


def test_sources_that_are_not_there_or_not_sound_are_refused(workdir, source, tmp_path):
    absent = "0123456789abcdef"
    line = f"transfer.source: no run {absent} in {workdir}; allowed: the run_id of a finished run there"
    refused(tuned(absent), workdir, line)
    forgetful = in_table(replace(RunConfig(), SMALL | {"train.keep_parameters": False}), THREE, tmp_path)
    folder = saved.parameters(tmp_path, forgetful)
    line = f"{folder}: no parameters; allowed: a finished run that had train.keep_parameters=true"
    refused(tuned(forgetful), tmp_path, line, kept.KeptError)
    parameters = kept.read(workdir, source)
    parameters["params/block_0/residual"] = np.zeros((6, 7), np.float32)
    kept.write(tmp_path, forgetful, 12, parameters)
    line = (
        f"transfer.source: tensor block_0/residual is float32[6, 7] in run {forgetful} and float32[6, 6] here; "
        "allowed: the same tensors but for the head"
    )
    refused(tuned(forgetful), tmp_path, line)
    file = next(folder.glob(f"*/{arrays.FILE}"))
    file.write_bytes(file.read_bytes()[:-1])
    refused(tuned(forgetful), tmp_path, f"{file.parent}: {arrays.FILE} is damaged", kept.KeptError)
    exploding = {"optimizer.learning_rate": 1e3, "optimizer.clip_norm": 0.0, "optimizer.warmup": 0.0}
    diverged = in_table(replace(RunConfig(), SMALL | exploding), THREE, tmp_path)
    line = f"transfer.source: run {diverged} in {tmp_path} is diverged; allowed: a finished run"
    refused(tuned(diverged), tmp_path, line)


def test_inputs_of_another_size_are_named(workdir, source):
    template = {**kept.read(workdir, source), "params/input": np.zeros((4, 6), np.float32)}
    line = f"transfer.source: tensor input is float32[5, 6] in run {source} and float32[4, 6] here; allowed: the same"
    with pytest.raises(ConfigError, match=re.escape(line)):
        takeover.parameters(tuned(source), workdir, template, tuned(source).model)
    del template["params/block_1/bias"]
    whole = template | {"params/input": np.zeros((5, 6), np.float32)}
    with pytest.raises(ConfigError, match=r"tensor block_1/bias is float32\[6\] in run \w+ and absent here"):
        takeover.parameters(tuned(source), workdir, whole, tuned(source).model)
