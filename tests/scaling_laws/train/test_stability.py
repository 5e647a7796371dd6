"""What a step says of its layers, against the gradient and the parameters themselves; logits against plain NumPy."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from shapes import quick_jit

from scaling_laws import hyper, spec, table
from scaling_laws.config import RunConfig, replace
from scaling_laws.table.schema import CURVE_COLUMNS, checked
from scaling_laws.train import loop, stability, state
from scaling_laws.train.shape import Shape
from scaling_laws.train.step import Step

TINY = {
    "train.parametrization": "standard",
    "model.width": 8,
    "model.depth": 3,
    "model.head_dim": 4,
    "task.context": 16,
    "train.batch_size": 4,
    "train.accumulation": 1,
    "train.steps_per_dispatch": 4,
    "optimizer.clip_norm": 0.0,
    "optimizer.warmup": 0.0,
}
LAYERS = ["embedding", "block_0", "block_1", "block_2", "head"]
TEXT = {"tokens": jnp.asarray(np.random.default_rng(0).integers(0, 256, 4000), jnp.uint8)}
STARTS_KxB = np.arange(16, dtype=np.int32).reshape(4, 4) * 17


def at(run):
    """The step of a run, its first state, and its numbers."""
    step = Step(Shape.of(run, spec.text(256, 16)))
    template = step.abstract_state()
    named = state.initial(state.named(template), step.rules, 0)
    return step, state.tree(template, named), hyper.hyperparameters(run)


def stacked(step, tree):
    """A tree of parameters by layer: each a list of arrays, blocks apart."""
    found = {name: [] for name in LAYERS}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        top = path[0].key
        if top == "blocks":
            for index, part in enumerate(leaf):
                found[f"block_{index}"].append(part)
        else:
            found[top if top.startswith("block_") else "embedding" if top in ("embedding", "position") else "head"] += [
                leaf
            ]
    return found


def norm(arrays):
    return float(np.sqrt(sum((np.asarray(array, np.float64) ** 2).sum() for array in arrays)))


@pytest.mark.parametrize(
    "changes", [{}, {"model.layers": "scanned"}, {"model.positions": "learned", "model.tie_embeddings": True}]
)
def test_the_last_step_of_a_dispatch_says_its_gradients_and_updates_by_layer(changes):
    run = replace(RunConfig(), TINY | changes)
    step, first, numbers = at(run)
    advance = quick_jit(step.advance)
    alive = jnp.ones((), bool)
    before = advance(first, numbers, TEXT, STARTS_KxB, 2, alive)[0]
    after, *_, layers_2xG = advance(first, numbers, TEXT, STARTS_KxB, 3, alive)
    loss = lambda params: step.losses_B(params, {"data_seed": 0}, TEXT, STARTS_KxB[2]).mean()  # noqa: E731
    gradient = quick_jit(jax.grad(loss))(before["params"])
    moved = jax.tree.map(np.subtract, after["params"], before["params"])
    grads, moves, sizes = (stacked(step, tree) for tree in (gradient, moved, before["params"]))
    assert stability.layer_names(3) == LAYERS
    np.testing.assert_allclose(layers_2xG[0], [norm(grads[name]) for name in LAYERS], rtol=2e-4)
    ratios = [norm(moves[name]) / norm(sizes[name]) for name in LAYERS]
    np.testing.assert_allclose(layers_2xG[1], ratios, rtol=2e-3)


@pytest.mark.parametrize("changes", [{}, {"model.layers": "scanned"}, {"train.accumulation": 2}])
def test_logits_are_those_of_the_first_window_of_each_part(changes):
    run = replace(RunConfig(), TINY | changes)
    step, first, _ = at(run)
    params = jax.tree.map(lambda leaf: 3 * leaf, first["params"])  # far from uniform attention
    losses_B, signs = quick_jit(step.evaluate_B)(params, {"data_seed": 0}, TEXT, STARTS_KxB[0])
    wanted = quick_jit(step.losses_B)(params, {"data_seed": 0}, TEXT, STARTS_KxB[0])
    np.testing.assert_allclose(losses_B, wanted, rtol=1e-6)
    samples = [0, 1] if "train.accumulation" in changes else [0]  # parts take from everywhere
    largest, means = zip(*(by_hand(run, step, params, STARTS_KxB[0][place]) for place in samples), strict=True)
    np.testing.assert_allclose(signs["attention_logit"], np.max(largest, axis=0), rtol=1e-4)
    np.testing.assert_allclose(signs["logit_mean"], np.mean(means), rtol=1e-3, atol=1e-5)


def by_hand(run, step, params, start):
    """Largest causal attention logit of each block, and the mean output logit, of one window, in NumPy."""
    from shapes import _mlp, _norm, _rotated

    model = run.model
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    x, largest = params["embedding"][np.asarray(TEXT["tokens"])[start : start + 16]], []
    for index in range(model.depth):
        block = jax.tree.map(lambda leaf: leaf[index], params["blocks"]) if "blocks" in params else None  # noqa: B023
        block = block or params[f"block_{index}"]
        normed = _norm("rms", block["attention_norm"], x)
        queries, keys, values = np.split(normed @ block["attention"]["qkv"], 3, axis=1)
        mixed, logits = [], []
        for head in range(2):
            part = slice(4 * head, 4 * head + 4)
            scores = _rotated(queries[:, part]) @ _rotated(keys[:, part]).T / 2
            scores = np.where(np.tril(np.ones_like(scores)), scores, -np.inf)
            logits.append(scores.max())
            weights = np.exp(scores - scores.max(axis=1, keepdims=True))
            mixed.append(weights / weights.sum(axis=1, keepdims=True) @ values[:, part])
        largest.append(max(logits))
        x = x + np.concatenate(mixed, axis=1) @ block["attention"]["out"]
        x = x + _mlp(model, block["mlp"], _norm("rms", block["mlp_norm"], x))
    return largest, (_norm("rms", params["final_norm"], x) @ params["head"]).mean()


def test_they_stand_on_the_curve_and_reach_the_watcher(tmp_path, task):
    seen = {}
    watch = types.SimpleNamespace(at=lambda step: None, scalars=seen.__setitem__, hparams=lambda *given: None)
    run = replace(RunConfig(), TINY | {"train.steps": 8, "train.curve_points": 3, "train.eval_tokens": 256})
    run = replace(run, {"train.curve_eval_tokens": 256})
    row, curve = loop.train(run, task, workdir=tmp_path, watch=watch)
    with table.Journal(tmp_path) as journal:
        journal.append(row, curve)
    table.compact(tmp_path)
    last = table.read_curves(tmp_path).to_pylist()[-1]
    assert [len(last[name]) for name in ("layer_grad_norms", "layer_update_ratios", "attention_logits")] == [5, 5, 3]
    assert seen[8]["layer_grad_norms/block_2"] == last["layer_grad_norms"][3]
    assert seen[8]["attention_logits/block_0"] == last["attention_logits"][0]
    assert seen[8]["layer_update_ratios/head"] == last["layer_update_ratios"][-1]
    assert seen[8]["logit_mean"] == last["logit_mean"]
    assert min(last["layer_grad_norms"]) > 0


def test_a_logit_that_is_not_finite_is_a_gap(tmp_path):
    (column,) = [column for column in CURVE_COLUMNS if column.name == "attention_logits"]
    found = checked({"attention_logits": [1.0, np.inf]}, (column,), "here")
    assert found["attention_logits"] == [1.0, None]
    with pytest.raises(table.TableError, match="attention_logits is 'x', a str; allowed: a list of numbers"):
        checked({"attention_logits": "x"}, (column,), "here")
