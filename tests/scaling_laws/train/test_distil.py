"""Distillation: the compiled step against Hinton et al. 2015 written out, whole runs, teachers that are refused."""

import itertools
import json
import re

import augmented
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from shapes import quick_jit

from scaling_laws import hyper, parametrization, spec, table
from scaling_laws.config import AugmentConfig, ConfigError, RunConfig, TaskConfig, identity, of_settings, replace
from scaling_laws.models.build import build
from scaling_laws.models.traced import product_flops
from scaling_laws.parametrization import Scheme
from scaling_laws.spec import Spec
from scaling_laws.table import Journal
from scaling_laws.tasks import order
from scaling_laws.tasks.task import Task
from scaling_laws.train import augment, feed, kept, loop, parts, source, state, teacher
from scaling_laws.train.member import Order
from scaling_laws.train.shape import Shape
from scaling_laws.train.step import Step

L, B = 16, 4
TEXT = {"tokens": np.random.default_rng(0).integers(0, 256, 400).astype(np.uint8)}
STARTS = np.array([3, 40, 200, 77])
TINY = {"model.width": 8, "model.head_dim": 4, "model.depth": 1, "task.context": L, "train.batch_size": B}
TINY |= {"train.accumulation": 1, "train.steps_per_dispatch": 3}
LARGER = replace(RunConfig(), TINY | {"model.width": 12, "model.norm": "layer"})
TEACHER = "0123456789abcdef"


def run_of(base, **changes):
    named = {name.replace("__", "."): value for name, value in changes.items()}
    return replace(RunConfig(), base | named)


def drawn(run, form, seed):
    """Parameters of a run's model by name, larger than at the start so that they have something to say."""
    step = Step(Shape.of(run, form))
    found = state.initial(state.params(state.named(step.abstract_state())), step.rules, seed)
    stream = np.random.default_rng(seed)
    return {
        name: leaf + 0.3 * stream.standard_normal(leaf.shape).astype(np.float32) for name, leaf in sorted(found.items())
    }


def distilling(run, form, taught_by, n_parts=None):
    """A step that learns from a teacher like the run `taught_by`, its numbers, and the arrays of such a teacher."""
    shape = Shape.of(run, form, teacher.Form(taught_by.model, Scheme.of(taught_by)))
    step, arrays = Step(shape), drawn(taught_by, form, 7)
    return step, hyper.hyperparameters(run), {teacher.ARRAYS + name: leaf for name, leaf in arrays.items()}


def as_tree(params):
    nested = {}
    for name, leaf in params.items():
        *path, last = name.split("/")
        here = nested
        for part in path:
            here = here.setdefault(part, {})
        here[last] = leaf
    return nested


def module(run, form):
    return build(run.model, form, parametrization.rules(Scheme.of(run), run.model))


def written_out(ours, theirs, targets, w, t):
    """(1 - w) cross-entropy + w T^2 sum q ln(q / p), a place each."""
    q, p = (jnp.exp(z / t) / jnp.exp(z / t).sum(-1, keepdims=True) for z in (theirs, ours))
    hard = -jnp.log(jnp.take_along_axis(jnp.exp(ours) / jnp.exp(ours).sum(-1, keepdims=True), targets[..., None], -1))
    return (1 - w) * hard[..., 0] + w * t * t * (q * jnp.log(q / p)).sum(-1), hard[..., 0]


def close(found, wanted, rtol=1e-3, atol=1e-6):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=atol), found, wanted)


def test_of_texts_the_objective_is_hintons_at_every_place():
    form = spec.text(256, L)
    run = run_of(TINY, distill__teacher=TEACHER, distill__weight=0.7, distill__temperature=3.0)
    run = replace(run, {"train.accumulation": 2})
    step, numbers, taught = distilling(run, form, LARGER)
    params = as_tree(drawn(run, form, 1))["params"]
    windows = TEXT["tokens"][STARTS[:, None] + np.arange(L + 1)].astype(int)
    said = module(LARGER, form).apply(as_tree(drawn(LARGER, form, 7)), windows[:, :-1])

    def wanted(params):
        ours = step.module.apply({"params": params}, windows[:, :-1])
        whole, hard = written_out(ours, said, windows[:, 1:], 0.7, 3.0)
        return whole.mean(), hard.mean()

    (_, hard), gradients = quick_jit(jax.value_and_grad(wanted, has_aux=True))(params)
    loss, grads = quick_jit(step._loss_and_gradients)(params, numbers, TEXT | taught, STARTS)
    assert float(loss) == pytest.approx(float(hard), rel=1e-5)  # what is reported stays the cross-entropy
    close(grads, gradients)


def test_a_teacher_sees_the_augmented_examples_and_weighs_their_classes():
    run = augmented.run(distill__teacher=TEACHER, distill__weight=0.4, distill__temperature=2.0)
    taught_by = augmented.run(model__width=5, model__depth=2)
    weights = np.array([0.5, 1.0, 2.0], np.float32)
    task = augmented.task(class_weights=weights)
    step, numbers, taught = distilling(run, task.spec, taught_by)
    params, data = as_tree(drawn(run, task.spec, 1))["params"], order.training(task)
    starts = np.array([0, 5, 9, 60], np.int32)
    inputs, shares = augment.read(Shape.of(run, task.spec).techniques.augment, task.spec, data, numbers, starts, 3)
    assert run.augment != AugmentConfig()
    assert shares.shape == (4, 3)
    said = module(taught_by, task.spec).apply(as_tree(drawn(taught_by, task.spec, 7)), inputs)

    def wanted(params):
        ours = step.module.apply({"params": params}, inputs)
        hard = -(shares * weights * jax.nn.log_softmax(ours)).sum(-1)
        log_q, log_p = jax.nn.log_softmax(said / 2), jax.nn.log_softmax(ours / 2)
        soft = 4 * (jnp.exp(log_q) * (log_q - log_p)).sum(-1) * (shares @ weights)
        return (0.6 * hard + 0.4 * soft).mean()

    _, grads = quick_jit(step._loss_and_gradients)(params, numbers, data | taught, starts, 3)
    close(grads, quick_jit(jax.grad(wanted))(params))


SMALL = {
    "model.family": "mlp",
    "model.width": 6,
    "model.depth": 2,
    "train.batch_size": 8,
    "train.steps": 12,
    "train.steps_per_dispatch": 4,
    "train.curve_points": 2,
    "optimizer.learning_rate": 0.01,
    "task.name": "table",
}


def a_task(classes, n=120):
    """Points about so many centres; of one class the number is the first coordinate."""
    rng = np.random.default_rng(classes)
    centres = rng.normal(size=(classes, 5))

    def split(n):
        targets = rng.integers(0, classes, n)
        inputs = (centres[targets] + rng.normal(size=(n, 5))).astype(np.float32)
        return {"inputs": inputs, "targets": targets.astype(np.int32) if classes > 1 else inputs[:, 0] ** 2}

    form = Spec("vector", (5,), classes, loss="cross_entropy" if classes > 1 else "squared_error")
    return Task("table", form, split(n), split(30), split(50), content_hash=f"task of {classes}")


THREE = a_task(3)


def test_of_numbers_it_is_the_squared_difference():
    task, run = a_task(1), run_of(SMALL, distill__teacher=TEACHER, distill__weight=0.25)
    taught_by = run_of(SMALL, model__width=4)
    step, numbers, taught = distilling(run, task.spec, taught_by)
    params, starts = as_tree(drawn(run, task.spec, 1))["params"], np.arange(8)
    x, y = (task.train[name][starts] for name in ("inputs", "targets"))
    said = module(taught_by, task.spec).apply(as_tree(drawn(taught_by, task.spec, 7)), x)[:, 0]

    def wanted(params):
        ours = step.module.apply({"params": params}, x)[:, 0]
        return (0.75 * (ours - y) ** 2 + 0.25 * (ours - said) ** 2).mean()

    _, grads = quick_jit(step._loss_and_gradients)(params, numbers, dict(task.train) | taught, starts)
    close(grads, quick_jit(jax.grad(wanted))(params))


def train(run, task, workdir, **options):
    return loop.train(run, task, workdir=workdir, say=lambda _: None, **options)


def in_table(run, task, workdir):
    row, curve = train(run, task, workdir)
    with Journal(workdir) as journal:
        journal.append(row, curve)
    return row


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


KEPT = {"train.keep_parameters": True}
WIDE = {"model.width": 9, "train.parametrization": "standard", "optimizer.name": "sgd"}


@pytest.fixture(scope="module")
def teaching(workdir):
    return in_table(run_of(SMALL | KEPT | WIDE), THREE, workdir)


def student(teaching, **changes):
    return run_of(SMALL, distill__teacher=teaching["run_id"], **changes)


def test_at_weight_0_a_run_is_bitwise_the_baseline(workdir, teaching, tmp_path):
    plain, curve = train(run_of(SMALL | KEPT), THREE, tmp_path)
    row, same_curve = train(
        student(teaching, train__keep_parameters=True, distill__teacher_workdir=str(workdir)), THREE, tmp_path
    )
    ours, theirs = (kept.read(tmp_path, each["run_id"]) for each in (row, plain))
    assert all(leaf.tobytes() == theirs[name].tobytes() for name, leaf in ours.items())
    assert row["loss"] == plain["loss"]
    for point, expected in zip(same_curve, curve, strict=True):
        assert {**point, "run_id": ""} == {**expected, "run_id": ""}
    assert (row["technique"], row["strength"], plain["technique"]) == ("distill", 0.0, "none")


def test_of_texts_too_weight_0_changes_no_bit():
    form, plain = spec.text(256, L), run_of(TINY, model__depth=2)
    run = replace(plain, {"distill.teacher": TEACHER})
    step, numbers, taught = distilling(run, form, LARGER)
    baseline, starts_KxB = Step(Shape.of(plain, form)), np.stack([STARTS, STARTS + 1, STARTS + 2])
    template = step.abstract_state()
    found = [
        jax.jit(each.advance)(
            state.tree(template, state.initial(state.named(template), step.rules, 0)),
            numbers,
            data,
            starts_KxB,
            3,
            True,
        )
        for each, data in ((baseline, TEXT), (step, TEXT | taught))
    ]
    close(found[1], found[0], rtol=0, atol=0)


def test_one_that_starts_as_its_own_teacher_stays(workdir, teaching):
    """Where p = q the gradient of the divergence is 0 but for rounding."""
    begun = {"transfer__source": teaching["run_id"], "distill__weight": 1.0, "optimizer__learning_rate": 0.5}
    row, curve = train(replace(student(teaching, **begun), WIDE | KEPT), THREE, workdir)
    assert curve[-1]["grad_norm"] < 1e-6
    ours, theirs = (kept.read(workdir, each["run_id"]) for each in (row, teaching))
    close(ours, theirs, rtol=1e-4, atol=1e-5)
    assert row["pretrain_flops"] == teaching["flops"]  # of one run, though it is both
    assert row["technique"] == "transfer+distill"


def test_stopped_and_resumed_is_bit_for_bit_undisturbed(workdir, teaching, tmp_path):
    run = student(teaching, distill__weight=0.5, distill__teacher_workdir=str(workdir))
    whole, curve = train(run, THREE, tmp_path / "whole")
    asked = itertools.count()
    with pytest.raises(loop.StopRequested):
        train(run, THREE, tmp_path / "cut", stop=lambda: next(asked) > 0)
    row, again = train(run, THREE, tmp_path / "cut")
    assert (row["resumed"], row["loss"], again) == (1, whole["loss"], curve)


def test_a_pack_shares_one_teacher_and_equals_its_members_alone(workdir, teaching):
    runs = [student(teaching, distill__weight=w, distill__temperature=t, train__seed=s) for w, t, s in
            ((0.5, 1.0, 0), (0.9, 4.0, 0), (0.5, 1.0, 2))]  # fmt: skip
    ended = loop.train_pack([Order(run) for run in runs], THREE, workdir=workdir, strategy="vmap", say=lambda _: None)
    packed = {row["run_id"]: row["loss"] for row, _ in ended}
    assert len(set(packed.values())) == 3
    row, _ = train(runs[1], THREE, workdir)
    assert packed[row["run_id"]] == pytest.approx(row["loss"], rel=1e-5)


def test_the_row_counts_what_the_teacher_took(workdir, teaching):
    row = in_table(student(teaching, distill__weight=0.5, train__keep_parameters=True), THREE, workdir)
    assert (row["teacher_run"], row["strength"]) == (teaching["run_id"], 0.5)
    assert row["pretrain_flops"] == teaching["flops"]
    forward = 2 * (5 * 9 + 9 * 9 + 9 * 3)
    assert row["extra_flops"] == forward * 12 * 8
    assert teaching["extra_flops"] is teaching["teacher_run"] is None
    rows = {each["run_id"]: each for each in table.read_runs(workdir).to_pylist()}
    assert source.flops(rows[row["run_id"]]) == row["flops"] + row["extra_flops"] + teaching["flops"]


def test_the_products_of_a_step_are_those_that_are_counted(workdir, teaching):
    run = student(teaching, distill__weight=0.5)
    taught_by = teacher.of(run, workdir, THREE.spec, THREE.content_hash)
    step = Step(Shape.of(run, THREE.spec, taught_by.form))
    data, _ = feed.data_of(run, THREE, workdir)
    params, numbers = step.abstract_state()["params"], hyper.hyperparameters(run)
    row, _ = train(run, THREE, workdir)
    found = product_flops(step._loss_and_gradients, params, numbers, data, np.arange(8))
    assert found * 12 == row["flops"] + row["extra_flops"]


def test_weight_and_temperature_are_numbers_and_the_place_no_identity(teaching):
    one, other = (student(teaching, distill__weight=w, distill__temperature=t) for w, t in ((0, 1.0), (0.7, 3.0)))
    form = teacher.Form(one.model, Scheme.of(one))
    assert Shape.of(one, THREE.spec, form) == Shape.of(other, THREE.spec, form) != Shape.of(one, THREE.spec)
    assert float(hyper.hyperparameters(other)["distill.temperature"]) == 3.0
    assert identity(one, "x") == identity(replace(one, {"distill.teacher_workdir": "y"}), "x") != identity(other, "x")


def test_settings_of_a_row_are_its_run_again(teaching):
    found = of_settings(json.loads(teaching["config"]))
    assert identity(found, THREE.content_hash) == teaching["run_id"]
    assert (found.model, Scheme.of(found)) == (run_of(SMALL | WIDE).model, Scheme.of(run_of(SMALL | WIDE)))


def refused(run, line, workdir, task=THREE, kind=ConfigError):
    with pytest.raises(kind, match=f"^{re.escape(line)}"):
        train(run, task, workdir)


def test_a_teacher_that_cannot_teach_is_refused_in_one_line(workdir, teaching, tmp_path):
    name = teaching["run_id"]
    has = f"distill.teacher: run {name} has 3 outputs under cross_entropy of task table; allowed: "
    refused(student(teaching), f"{has}4 under cross_entropy of table", workdir, a_task(4))
    refused(student(teaching), f"{has}1 under squared_error of table", workdir, a_task(1))
    line = f"task.split_seed: 1; allowed: 0, as distill.teacher: run {name} has it"
    refused(student(teaching, task__split_seed=1), line, workdir)
    line = f"distill.teacher: run {name} is of other data; allowed: of the same, or of any text with"
    refused(student(teaching), line, workdir, Task(**vars(THREE) | {"content_hash": "other"}))
    refused(run_of(SMALL, distill__teacher=TEACHER), f"distill.teacher: no run {TEACHER} in", workdir)
    forgetful = in_table(run_of(SMALL), THREE, tmp_path)
    refused(
        student(forgetful),
        f"{tmp_path}/parameters/{forgetful['run_id']}: no parameters;",
        tmp_path,
        kind=kept.KeptError,
    )
    exploding = {"optimizer.learning_rate": 1e3, "optimizer.clip_norm": 0.0, "optimizer.warmup": 0.0}
    diverged = in_table(run_of(SMALL | exploding), THREE, tmp_path)
    line = f"distill.teacher: run {diverged['run_id']} in {tmp_path} is diverged; allowed: a finished run"
    refused(student(diverged), line, tmp_path)
    refused(run_of(SMALL, distill__weight=0.5), "distill.weight: 0.5; allowed: 0.0 without distill.teacher", workdir)
    refused(run_of(SMALL, distill__teacher="x"), "distill.teacher: 'x'; allowed: a run_id, 16 of", workdir)
    line = "distill.temperature: 2; allowed: 1 where a number is predicted"
    refused(student(teaching, distill__temperature=2.0), line, workdir, a_task(1))


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"quantize.weight_bits": 4}, "is rounded (quantize); allowed: one in full precision"),
        ({"quantize.activation_bits": 8}, "is rounded (quantize); allowed: one in full precision"),
        ({"boost.previous": TEACHER}, "is a stage of boosting, no model by itself"),
    ],
)
def test_a_teacher_whose_outputs_are_not_its_parameters_alone_is_refused(settings, said, monkeypatch, tmp_path):
    row = {"run_id": TEACHER, "config": json.dumps(settings)}
    monkeypatch.setattr(source, "finished", lambda *_: row)
    with pytest.raises(ConfigError, match=re.escape(f"distill.teacher: run {TEACHER} {said}")):
        teacher.of(replace(RunConfig(), {"distill.teacher": TEACHER}), tmp_path, THREE.spec, "a")


def test_which_texts_a_teacher_may_have_read(monkeypatch, tmp_path):
    row = {"run_id": TEACHER, "task": "text", "vocab_size": 256, "loss_kind": "cross_entropy", "corpus_hash": "a"}
    row |= {"config": json.dumps({"task.context": 32, "model.positions": "learned"})}
    monkeypatch.setattr(source, "finished", lambda *_: row)
    run = replace(RunConfig(task=TaskConfig(context=32)), {"distill.teacher": TEACHER})
    form = spec.text(256, 32)
    assert teacher.of(run, tmp_path, form, "another text").form.model.positions == "learned"
    with pytest.raises(ConfigError, match=r"task\.context: 16; allowed: 32, the learned positions of "):
        teacher.of(replace(run, {"task.context": 16}), tmp_path, spec.text(256, 16), "a")
    row["config"] = json.dumps({"task.context": 32})
    assert teacher.of(replace(run, {"task.context": 16}), tmp_path, spec.text(256, 16), "a").counts.n_params
    merged = replace(run, {"task.tokenizer": "bpe", "task.vocab_size": 256})
    row["config"] = json.dumps({"task.context": 32, "task.tokenizer": "bpe"})
    assert teacher.of(merged, tmp_path, form, "a")
    with pytest.raises(ConfigError, match="is of other data; allowed: of the same, or of any text with"):
        teacher.of(merged, tmp_path, form, "another text")


def test_logits_that_would_fill_the_memory_are_refused(monkeypatch):
    run = run_of(TINY, distill__teacher=TEACHER)
    monkeypatch.setattr(parts, "LOGITS", 2 * 4 * L * 256)
    form = teacher.Form(LARGER.model, Scheme.of(LARGER))
    assert Shape.of(run, spec.text(256, L)).loss_chunks == 2
    with pytest.raises(ConfigError, match=r"train\.accumulation: 1; allowed with distill\.teacher: 2 or more"):
        Shape.of(run, spec.text(256, L), form)
    assert Shape.of(replace(run, {"train.accumulation": 2}), spec.text(256, L), form).loss_chunks == 1
