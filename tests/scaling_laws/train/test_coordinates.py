"""What is recorded against the training step itself and NumPy, and what learns alone."""

import dataclasses

import jax
import numpy as np
import pytest

from scaling_laws import hyper, parametrization
from scaling_laws.config import RunConfig, replace
from scaling_laws.models.transformer import ACTIVATIONS
from scaling_laws.parametrization import Scheme
from scaling_laws.tasks import batches, order
from scaling_laws.train import coordinates, state
from scaling_laws.train.shape import Shape
from scaling_laws.train.step import Step

STEPS = 4
TINY = {
    "model.width": 16,
    "model.depth": 2,
    "model.head_dim": 4,
    "model.qk_norm": True,
    "model.positions": "learned",
    "task.context": 16,
    "train.batch_size": 4,
    "train.seed": 3,
    "train.data_seed": 5,
    "train.base_width": 8,
    "train.base_depth": 1,
    "optimizer.learning_rate": 1e-2,
}
NESTEROV = {"optimizer.name": "sgd", "optimizer.nesterov": True}
INDEPENDENT = {"optimizer.independent_decay": True, "optimizer.weight_decay": 0.1}
LAYERS = ("attention_out", "mlp_out", "stream")
ORDER = ["embedded", *(f"block_{b}/{name}" for b in (0, 1) for name in LAYERS), "normalised", "logits"]


def run_of(changes=None):
    return replace(RunConfig(), TINY | (changes or {}))


def trained(run, task):
    """Parameters before and after STEPS steps of the training loop at a constant rate."""
    run = replace(run, {"optimizer.schedule": "constant", "optimizer.warmup": 0.0, "train.steps_per_dispatch": STEPS})
    step = Step(Shape.of(run, task.spec))
    fresh = state.initial(state.named(step.abstract_state()), step.rules, run.train.seed)
    before = state.tree(step.abstract_state(), fresh)
    starts = batches.window_starts(task.length("train"), 16, run.train.data_seed, 0, STEPS, run.train.batch_size)
    after, *_ = jax.jit(step.advance)(before, hyper.hyperparameters(run), task.train, starts, STEPS, True)
    return step, before["params"], after["params"]


def activations(step, params, task):
    """Of the validation windows, in float64."""
    starts = batches.eval_starts(task.length("valid"), 16, 4 * 16)
    tokens = task.valid["tokens"][starts[:, None] + np.arange(16)].astype(int)
    apply = jax.jit(lambda params, tokens: step.module.apply({"params": params}, tokens, mutable=[ACTIVATIONS]))
    logits, seen = apply(params, tokens)
    found = {"logits": logits, "embedded": seen[ACTIVATIONS]["embedded"][0]}
    found["normalised"] = seen[ACTIVATIONS]["normalised"][0]
    found |= {f"block_0/{name}": seen[ACTIVATIONS]["block_0"][name][0] for name in LAYERS}
    return {name: np.asarray(value, np.float64) for name, value in found.items()}


@pytest.mark.parametrize(
    "changes",
    [
        {"train.parametrization": "completep", "optimizer.weight_decay": 1.0, "optimizer.epsilon": 1e-4},
        NESTEROV | {"optimizer.learning_rate": 3.0, "optimizer.clip_norm": 0.1} | INDEPENDENT,
    ],
    ids=["completep", "sgd"],
)
def test_the_steps_are_those_of_the_training_loop(task, changes):
    run = run_of(changes | {"model.depth": 1, "train.base_depth": 2})
    rows = coordinates.record(run, task, STEPS)
    step, before, after = trained(run, task)
    first, last = activations(step, before, task), activations(step, after, task)
    for row in rows:
        layer = row["layer"]
        if row["step"] == 0:
            assert row["scale"] == pytest.approx(np.sqrt(np.square(first[layer]).mean()), rel=1e-4), layer
        if row["step"] == STEPS:
            change = np.sqrt(np.square(last[layer] - first[layer]).mean())
            assert row["scale"] == pytest.approx(np.sqrt(np.square(last[layer]).mean()), rel=1e-3), layer
            assert row["change"] == pytest.approx(change, rel=2e-3), layer
            assert change > 1e-3 * row["scale"], layer


def test_rows_follow_the_forward_pass_step_by_step(task):
    rows = coordinates.record(run_of(), task, 2)
    assert [row["layer"] for row in rows] == ORDER * 3
    assert [row["step"] for row in rows] == [0] * 9 + [1] * 9 + [2] * 9
    assert [row["change"] for row in rows[:9]] == [0] * 9
    assert min(row["change"] for row in rows[9:]) > 0


@pytest.mark.parametrize(
    "changes",
    [{"optimizer.warmup": 1.0}, {"optimizer.warmup_steps": 50}, {"optimizer.schedule": "wsd"}, {"train.steps": 9}],
)
def test_neither_schedule_nor_horizon_counts(task, changes):
    assert coordinates.record(run_of(changes), task, 3) == coordinates.record(run_of(), task, 3)


def test_steps_begin_alike_whatever_follows(task):
    longer = coordinates.record(run_of(), task, 3)
    assert coordinates.record(run_of(), task, 1) == [row for row in longer if row["step"] <= 1]


def test_scanned_layers_are_named_and_measured_as_unrolled_ones(task):
    """Their draws differ by their names, so the same parameters are given to both."""
    model = run_of().model
    forward = parametrization.rules(Scheme(), model).forward
    unrolled, scanned = (
        coordinates._Built(dataclasses.replace(model, layers=layers), task.spec, forward)
        for layers in ("unrolled", "scanned")
    )
    rules = parametrization.rules(Scheme(), model)
    params = unrolled.initial(rules, 0)
    shared = {name: value for name, value in params.items() if not name.startswith("block_")}
    stacked = shared | {"blocks": jax.tree.map(lambda *pair: np.stack(pair), params["block_0"], params["block_1"])}
    data, starts = order.evaluation(task), np.arange(4) * 17
    flat, along = unrolled.activations(params, data, starts), scanned.activations(stacked, data, starts)
    assert set(flat) == set(along) == set(ORDER)
    for name, value in flat.items():
        np.testing.assert_allclose(along[name], value, rtol=1e-4, atol=1e-5, err_msg=name)


def moved(run, task, role):
    """The layers that change where the tensors of one role learn alone."""
    rules = coordinates.isolated(parametrization.rules(Scheme.of(run), run.model), role)
    return [row["layer"] for row in coordinates.record(run, task, 1, rules) if row["change"] > 0]


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_role_alone_moves_what_follows_it(task, optimizer):
    run = run_of({"optimizer.name": optimizer, "optimizer.weight_decay": 1.0})
    assert moved(run, task, "head") == ["logits"]
    assert moved(run, task, "final_norm") == ["normalised", "logits"]
    assert moved(run, task, "embedding") == moved(run, task, "position") == ORDER
    for role in ("hidden", "branch_output", "norm", "head_norm"):
        assert moved(run, task, role) == ORDER[1:]


def test_decay_that_is_independent_of_the_rate_rests_too(task):
    assert moved(run_of(INDEPENDENT), task, "head") == ["logits"]


def test_an_unknown_role_is_refused():
    rules = parametrization.rules(Scheme(), run_of().model)
    with pytest.raises(ValueError, match=r"role: 'forward'; allowed: embedding, input, .*, hidden"):
        coordinates.isolated(rules, "forward")


def test_other_rules_than_the_runs_own(task):
    run = run_of({"train.parametrization": "mup"})
    standard = coordinates.record(run_of({"train.parametrization": "standard"}), task, 1)
    assert coordinates.record(run, task, 1, parametrization.rules(Scheme(), run.model)) == standard


def test_other_numbers_compile_nothing(task):
    run = run_of({"optimizer.weight_decay": 1.0})
    coordinates.record(run, task, 1)
    shapes, updates = coordinates._built.cache_info().misses, coordinates._updated._cache_size()
    rules = parametrization.rules(Scheme.of(run), run.model)
    for changes in ({"train.seed": 1}, {"optimizer.learning_rate": 0.1}, {"optimizer.beta2": 0.9}, {"train.steps": 7}):
        coordinates.record(replace(run, changes), task, 1, coordinates.isolated(rules, "head"))
    assert (coordinates._built.cache_info().misses, coordinates._updated._cache_size()) == (shapes, updates)
