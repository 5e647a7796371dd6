"""The loop against an undisturbed run, a hand-written evaluation and what its rows claim."""

import itertools
import time
import types

import jax
import numpy as np
import pytest
from shapes import quick_jit

from scaling_laws import config, families, hyper, parametrization, spec, table
from scaling_laws.config import RunConfig, replace
from scaling_laws.tasks import batches
from scaling_laws.train import loop, programs, state
from scaling_laws.train.layout import Layout
from scaling_laws.train.shape import Shape
from scaling_laws.train.step import Step

TINY = {
    "model.width": 8,
    "model.depth": 1,
    "model.head_dim": 4,
    "task.context": 16,
    "train.batch_size": 4,
    "train.steps": 40,
    "train.steps_per_dispatch": 7,
    "train.curve_points": 4,
    "train.eval_tokens": 512,
    "train.curve_eval_tokens": 256,
    "optimizer.learning_rate": 1e-2,
}


def results(row):
    return {name: row[name] for name in table.RUNS.names if name in table.result_columns() and name in row}


def train(task, workdir, changes=None, **options):
    run = replace(RunConfig(), TINY | (changes or {}))
    return loop.train(run, task, workdir=workdir, say=lambda _: None, **options)


def programs_of(run, task):
    return loop.programs_of(run, task, Layout())


def params_of(built, found):
    """A state's parameters as the tree that the model itself takes."""
    return state.tree({"params": Step(built.shape).abstract_state()["params"]}, found)["params"]


def model_of(built, found):
    """The model itself, without the programs: tokens to logits."""
    params = params_of(built, found)
    return lambda tokens: Step(built.shape).module.apply({"params": params}, tokens)


@pytest.fixture(scope="module")
def undisturbed(task, tmp_path_factory):
    return train(task, tmp_path_factory.mktemp("undisturbed"))


def test_row_fits_the_table_and_its_counts(undisturbed, task, tmp_path):
    row, curve = undisturbed
    counts = families.count(replace(RunConfig(), TINY).model, spec.text(256, 16))
    assert row["status"] == "finished"
    assert row["tokens"] == 40 * 4 * 16
    assert row["flops"] == counts.flops_per_token * row["tokens"]
    assert row["eval_tokens"] == 512
    assert row["bits_per_byte"] == pytest.approx(row["loss"] / np.log(2))  # every byte of this text is a token
    assert [point["step"] for point in curve] == loop.curve_steps(40, 4)
    parts = [row[f"{name}_seconds"] for name in ("init", "compile", "step", "eval")]
    assert min(parts) > 0
    assert sum(parts) < row["wall_seconds"]
    with table.Journal(tmp_path) as journal:
        journal.append(row, curve)
    assert table.read_runs(tmp_path).to_pylist()[0]["run_id"] == row["run_id"]


def test_it_learns(undisturbed):
    row, curve = undisturbed
    assert curve[0]["train_loss"] > 5 > row["loss"]


def test_stopped_and_resumed_is_bit_for_bit_undisturbed(undisturbed, task, tmp_path):
    for after in (2, 1):
        asked = itertools.count()
        with pytest.raises(loop.StopRequested):
            train(task, tmp_path, stop=lambda asked=asked, after=after: next(asked) > after)
    row, curve = train(task, tmp_path)
    assert row["resumed"] == 2
    assert results(row) == results(undisturbed[0])
    assert curve == undisturbed[1]


def test_asked_to_stop_at_the_last_step_it_finishes(undisturbed, task, tmp_path):
    row, _ = train(task, tmp_path, {"train.steps_per_dispatch": 40, "train.curve_points": 2}, stop=After(1).asked)
    assert row["status"] == "finished"
    assert row["loss"] == pytest.approx(undisturbed[0]["loss"], rel=1e-5)


class After:
    """Asks for a stop once so many dispatches have been queued."""

    def __init__(self, dispatches):
        self.left = dispatches

    def asked(self):
        self.left -= 1
        return self.left < 0


class Recorder:
    """A watcher that keeps what it hears."""

    def __init__(self):
        self.steps, self.points, self.settings, self.final = [], {}, {}, {}

    def at(self, step):
        self.steps.append(step)

    def scalars(self, step, values):
        self.points[step] = values

    def hparams(self, values, final):
        self.settings, self.final = values, final


def test_a_watcher_hears_of_every_dispatch_every_point_and_the_end(task, tmp_path):
    first, second = Recorder(), Recorder()
    with pytest.raises(loop.StopRequested):
        train(task, tmp_path, stop=After(3).asked, watch=first)
    row, curve = train(task, tmp_path, watch=second)
    assert first.steps[0] == 0
    assert first.steps[-1] == second.steps[0] < 40  # it goes on where the checkpoint stands
    assert second.steps == sorted(second.steps)
    assert second.steps[-1] == 40
    heard = first.points | second.points
    assert [(step, values["loss"]) for step, values in heard.items()] == [(p["step"], p["loss"]) for p in curve]
    assert second.final == {"loss": row["loss"], "bits_per_byte": row["bits_per_byte"]}
    assert second.settings["optimizer.learning_rate"] == 1e-2
    assert spec.of_settings(second.settings) == task.spec


def test_a_resumed_run_counts_the_time_of_all_its_steps(task, tmp_path, monkeypatch):
    """With a clock that ticks when it is looked at, each of the 8 dispatches takes a second."""
    ticks = itertools.count()
    clock = types.SimpleNamespace(perf_counter=lambda: float(next(ticks)), monotonic=time.monotonic)
    monkeypatch.setattr(loop, "time", clock)
    with pytest.raises(loop.StopRequested):
        train(task, tmp_path, stop=After(3).asked)
    row, _ = train(task, tmp_path)
    assert (row["resumed"], row["step_seconds"]) == (1, 8.0)
    assert row["tokens_per_second"] == row["tokens"] / 8


def test_steps_per_dispatch_changes_nothing(undisturbed, task, tmp_path):
    row, curve = train(task, tmp_path, {"train.steps_per_dispatch": 40})
    assert row["run_id"] == undisturbed[0]["run_id"]
    assert row["loss"] == pytest.approx(undisturbed[0]["loss"], rel=1e-5)
    np.testing.assert_allclose([p["train_loss"] for p in curve], [p["train_loss"] for p in undisturbed[1]], rtol=1e-5)


def test_dispatches_that_take_too_long_are_cut(undisturbed, task, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "DISPATCH", 0.0)
    heard = Recorder()
    row, curve = train(task, tmp_path, watch=heard)
    assert {*range(41)} == {*heard.steps}
    assert results(row) == results(undisturbed[0])
    assert curve == undisturbed[1]


def test_final_loss_is_the_mean_cross_entropy_of_the_held_out_windows(undisturbed, task, tmp_path, monkeypatch):
    seen = {}
    evaluate = loop._Pack.evaluate

    def spy(self, split, n_tokens, state=None):
        if split == "heldout":
            (found,) = self.programs.fetch_states(self.state)
            seen["logits"] = model_of(self.programs, found)
        return evaluate(self, split, n_tokens, state)

    monkeypatch.setattr(loop._Pack, "evaluate", spy)
    row, _ = train(task, tmp_path)
    starts = batches.eval_starts(task.length("heldout"), 16, 512)
    windows = task.heldout["tokens"][starts[:, None] + np.arange(17)].astype(int)
    logits = np.asarray(seen["logits"](windows[:, :-1]), np.float64)
    shifted = logits - logits.max(-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    losses = -np.take_along_axis(log_p, windows[:, 1:, None], -1)[..., 0].mean(axis=1)
    assert row["loss"] == pytest.approx(losses.mean(), rel=1e-5)
    assert row["loss_se"] == pytest.approx(losses.std(ddof=1) / np.sqrt(len(losses)), rel=1e-4)


def test_one_step_is_the_gradient_of_the_named_windows(task):
    plain = {"optimizer.name": "sgd", "optimizer.momentum": 0.0, "optimizer.clip_norm": 0.0}
    run = replace(RunConfig(), TINY | plain | {"train.parametrization": "standard"})
    compiled = programs_of(run, task)
    fresh, numbers = compiled.initial_state(3), hyper.hyperparameters(run)
    before, module = params_of(compiled, fresh), Step(compiled.shape).module
    starts = batches.window_starts(task.length("train"), 16, 5, 0, 1, 4)

    def loss(params):
        windows = task.train["tokens"][starts[0][:, None] + np.arange(17)].astype(int)
        log_p = jax.nn.log_softmax(module.apply({"params": params}, windows[:, :-1]))
        named = log_p[np.arange(4)[:, None], np.arange(16), windows[:, 1:]]
        return -np.float32(1 / 64) * named.sum()

    first, gradient = quick_jit(jax.value_and_grad(loss))(before)
    padded = np.zeros((7, 4), np.int32)
    padded[:1] = starts
    one = (compiled.place_states([dict(fresh)]), programs.stack([numbers]), task.train, padded[None])
    stacked, losses, norms, _ = compiled.advance(*one, 1, np.array([True]))
    after = params_of(compiled, programs.member(stacked, 0))
    assert float(losses[0, 0]) == pytest.approx(float(first), rel=1e-5)
    square = sum(float((np.asarray(slope, np.float64) ** 2).sum()) for slope in jax.tree.leaves(gradient))
    assert float(norms[0, 0]) == pytest.approx(square**0.5, rel=1e-4)
    rate = float(hyper.learning_rate("cosine", 0, numbers))
    for new, old, slope in zip(*map(jax.tree.leaves, (after, before, gradient)), strict=True):
        np.testing.assert_allclose(new, old - rate * slope, rtol=1e-4, atol=1e-7)


def test_divergence_is_a_row_with_its_reason(task, tmp_path):
    changes = {"optimizer.name": "sgd", "optimizer.learning_rate": 1e3, "optimizer.clip_norm": 0.0}
    row, curve = train(task, tmp_path, changes)
    assert row["status"] == "diverged"
    assert "not finite, or loss above 20" in row["reason"]
    assert row["loss"] is None
    assert row["steps_done"] < 40
    assert row["bad_step"] == row["steps_done"] + 1
    assert 2 < row["good_loss"] < 20
    assert all(np.isfinite(point["loss"]) for point in curve[:-1])


def test_a_run_that_never_learns_is_dead(task, tmp_path):
    at_base = {"train.base_width": 8}  # where the first logits are no larger than 1
    row, curve = train(task, tmp_path, {"optimizer.learning_rate": 0.0, "train.steps": 60} | at_base)
    assert row["status"] == "dead"
    assert "never fell" in row["reason"]
    assert row["loss"] == pytest.approx(curve[0]["loss"], abs=0.1)
    assert row["bad_step"] is None


def test_draws_depend_on_seed_and_name_alone(task):
    run = replace(RunConfig(), TINY | {"model.depth": 2})
    shallow = programs_of(replace(run, {"model.depth": 1}), task).initial_state(1)
    rules = parametrization.rules(parametrization.Scheme.of(run), run.model)
    template = state.named(Step(Shape.of(run, spec.text(256, 16))).abstract_state())
    deep, other = (state.initial(template, rules, seed) for seed in (1, 2))
    np.testing.assert_array_equal(deep["params/head"], shallow["params/head"])
    assert not np.array_equal(deep["params/head"], other["params/head"])
    assert not any(leaf.any() for name, leaf in deep.items() if name.startswith("opt_state/"))
    up = deep["params/block_0/mlp/up"]
    assert not np.array_equal(up, deep["params/block_1/mlp/up"])
    assert up.std() == pytest.approx(1 / np.sqrt(8), rel=0.2)


def test_curve_steps_are_log_spaced_and_end_at_the_horizon():
    steps = loop.curve_steps(1000, 4)
    assert steps == [1, 10, 100, 1000]
    assert loop.curve_steps(3, 20) == [1, 2, 3]


def test_identity_ignores_how_a_run_is_executed():
    run = replace(RunConfig(), TINY)
    assert config.identity(run, "a") == config.identity(replace(run, {"train.steps_per_dispatch": 3}), "a")
    assert config.identity(run, "a") != config.identity(replace(run, {"train.seed": 3}), "a")
