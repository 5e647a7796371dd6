"""Structured pruning: a model of which units do nothing is the slimmer one, and which are kept."""

import dataclasses
import json

import jax
import numpy as np
import pytest
import shapes as texts
from example_models import PICTURES, examples
from example_models import drawn as drawn_for
from example_models import outputs as outputs_of

from scaling_laws.config import ConfigError, ModelConfig, RunConfig, identity, replace
from scaling_laws.table import Journal
from scaling_laws.train import kept, loop, slimming, state

TEXT = {"width": 24, "depth": 2, "head_dim": 6}
PICTURE = {"family": "convnet", "width": 8, "depth": 1}
CASES = {
    "gelu": TEXT,
    "swiglu": TEXT | {"mlp": "swiglu", "qk_norm": True, "norm": "layer"},
    "experts": TEXT | {"experts": 3},
    "scanned": TEXT | {"layers": "scanned", "experts": 2, "mlp": "swiglu"},
    "vit": TEXT | {"family": "vit", "patch": 2},
    "convnet": PICTURE,
    "separable": PICTURE | {"convolution": "separable", "norm": "layer"},
}


def drawn(model):
    if model.family == "transformer":
        plain = texts.drawn(dataclasses.replace(model, layers="unrolled"))
        return texts.stacked(plain) if model.layers == "scanned" else plain
    return drawn_for(model, PICTURES)


def outputs(model, params):
    if model.family == "transformer":
        return texts.logits(model, params, texts.tokens())
    return outputs_of(model, PICTURES, params, examples(PICTURES, 3))


def some(generator, n, n_left, shape=()):
    """Which of n units stay, (*shape, n) with n_left of them."""
    order = np.argsort(generator.random((*shape, n)), axis=-1)
    return order < n_left


def idle(name, tensor, generator):
    """The tensor with what leads out of half of the units set to 0."""
    last = name.rpartition("/")[2]
    if last == "out":
        return tensor * np.repeat(some(generator, 4, 2, tensor.shape[:-2]), 6, axis=-1)[..., None]
    if last == "down":
        return tensor * some(generator, tensor.shape[-2], tensor.shape[-2] // 2, tensor.shape[:-2])[..., None]
    return tensor


COPIED = ("convolution_0/up", "norm_1/scale", "norm_1/bias", "convolution_1/depthwise")


def idle_copy(name, tensor, generator):
    """A norm sees all channels, so of each pair of them the second is as the first, with nothing that leads out."""
    found = tensor.copy()
    if name.endswith(COPIED):
        found[..., 1::2] = tensor[..., ::2]
    elif name.endswith("convolution_1/down"):
        found.reshape(-1, found.shape[-1], found.shape[-1])[:, 1::2] = 0
    return found


@pytest.mark.parametrize("case", CASES)
def test_what_does_nothing_is_what_goes_and_the_slimmer_model_computes_the_same(case):
    model = ModelConfig(**CASES[case])
    slim, generator = dataclasses.replace(model, slim=0.5), np.random.default_rng(4)
    tree = jax.tree.map(np.asarray, drawn(model))
    change = idle_copy if model.family == "convnet" else idle
    tensors = {name: change(name, tensor, generator) for name, tensor in state.named(tree).items()}
    small = slimming.slimmed(tensors, model, slim)
    template = drawn(slim)
    assert {name: leaf.shape for name, leaf in small.items()} == {
        name: leaf.shape for name, leaf in state.named(template).items()
    }
    assert sum(leaf.size for leaf in small.values()) < 0.7 * sum(leaf.size for leaf in tensors.values())
    whole = outputs(model, state.tree(tree, tensors))
    np.testing.assert_allclose(outputs(slim, state.tree(template, small)), whole, atol=2e-5 * np.abs(whole).max())


def test_units_are_ranked_by_the_product_of_the_norms_on_both_sides():
    model = ModelConfig(width=2, depth=1, n_heads=1, mlp_ratio=4.0)
    generator = np.random.default_rng(0)
    up, down = generator.normal(size=(2, 8)).astype("float32"), generator.normal(size=(8, 2)).astype("float32")
    found = slimming.slimmed(
        {"block_0/mlp/up": up, "block_0/mlp/down": down}, model, dataclasses.replace(model, slim=0.4)
    )
    products = [np.linalg.norm(up[:, unit]) * np.linalg.norm(down[unit]) for unit in range(8)]
    best = sorted(sorted(range(8), key=lambda unit: -products[unit])[:3])
    np.testing.assert_array_equal(found["block_0/mlp/up"], up[:, best])
    np.testing.assert_array_equal(found["block_0/mlp/down"], down[best])
    scale = np.linspace(0.1, 9, 8).astype("float32")  # relu's units, wide on one side and narrow on the other
    again = slimming.slimmed(
        {"block_0/mlp/up": up * scale, "block_0/mlp/down": down / scale[:, None]},
        model,
        dataclasses.replace(model, slim=0.4),
    )
    np.testing.assert_array_equal(again["block_0/mlp/up"], (up * scale)[:, best])


def test_a_head_is_ranked_by_its_values_and_not_by_where_it_looks():
    model = ModelConfig(width=4, depth=1, n_heads=2)
    qkv, out = np.ones((4, 3, 2, 2), "float32"), np.ones((4, 4), "float32")
    qkv[:, :2, 0], qkv[:, 2, 0] = 9, 0.5
    tensors = {"block_0/attention/qkv": qkv.reshape(4, 12), "block_0/attention/out": out * np.arange(4)[:, None]}
    found = slimming.slimmed(tensors, model, dataclasses.replace(model, slim=0.5))
    np.testing.assert_array_equal(found["block_0/attention/qkv"], np.ones((4, 6)))
    np.testing.assert_array_equal(found["block_0/attention/out"][:, 0], [2, 3])


TINY = {"model.width": 16, "model.depth": 1, "model.head_dim": 4, "task.context": 16, "train.batch_size": 4}
TINY |= {"train.steps": 4, "train.steps_per_dispatch": 4, "train.curve_points": 2, "train.keep_parameters": True}


def train(run, task, workdir):
    row, curve = loop.train(run, task, workdir=workdir, say=lambda _: None)
    with Journal(workdir) as journal:
        journal.append(row, curve)
    return row


def test_a_run_goes_on_with_what_is_left_of_its_source(task, tmp_path):
    whole = replace(RunConfig(), TINY)
    begun = train(whole, task, tmp_path)
    changes = {"model.slim": 0.5, "transfer.source": begun["run_id"], "optimizer.learning_rate": 0.0, "train.seed": 9}
    half = train(replace(whole, changes), task, tmp_path)
    source, found = (kept.read(tmp_path, row["run_id"]) for row in (begun, half))
    strip = {name.removeprefix("params/"): leaf for name, leaf in source.items()}
    wanted = slimming.slimmed(strip, whole.model, dataclasses.replace(whole.model, slim=0.5))
    assert found.keys() == source.keys()
    for name, leaf in wanted.items():
        assert found[f"params/{name}"].tobytes() == leaf.tobytes(), name
    assert found["params/block_0/attention/qkv"].shape == (16, 3 * 8)
    assert half["pretrain_flops"] == begun["flops"]
    inner, length = 4 * 16 * 8 + 2 * 16 * 32, 16  # weights of a block: attention's and the branch's, both halved
    assert half["n_params"] == begun["n_params"] - inner
    assert half["flops"] == begun["flops"] - 3 * (2 * inner + 4 * length * 8) * 4 * 4 * length
    assert json.loads(half["config"])["model.slim"] == 0.5
    for slim in (1.0, 0.6):
        line = rf"model\.slim: {slim}; allowed: at most 0\.5, as transfer\.source {half['run_id']} has it"
        with pytest.raises(ConfigError, match=line):
            train(replace(whole, {"model.slim": slim, "transfer.source": half["run_id"]}), task, tmp_path)


def test_a_whole_model_is_the_baseline_and_says_so():
    run = replace(RunConfig(), TINY)
    assert identity(replace(run, {"model.slim": 1.0}), "x") == identity(run, "x")
    tensors = {"block_0/mlp/up": np.ones((2, 8)), "block_0/mlp/down": np.ones((8, 2)), "head": np.ones((2, 3))}
    model = ModelConfig(width=2, depth=1, n_heads=1)
    found = slimming.slimmed(tensors, model, model)
    assert all((found[name] == tensor).all() for name, tensor in tensors.items())
