"""Tasks of known exponents through the training loop, against theory's exact expectations."""

import jax
import numpy as np
import pytest

from scaling_laws import families
from scaling_laws.config import RunConfig, TaskConfig, replace
from scaling_laws.models.traced import product_flops
from scaling_laws.tasks import catalog, order
from scaling_laws.theory import manifold, one_pass, power_law_features, zipf
from scaling_laws.train import loop
from scaling_laws.train.member import Order
from scaling_laws.train.reading import read as read_arrays
from scaling_laws.train.shape import Shape
from scaling_laws.train.step import Step

ONE_PASS = {
    "model.depth": 1,
    "task.name": "power_law",
    "model.family": "features",
    "model.width": 12,
    "train.parametrization": "standard",
    "train.batch_size": 4,
    "train.steps": 120,
    "train.eval_tokens": 4096,
    "train.curve_eval_tokens": 256,
    "train.curve_points": 2,
    "train.checkpoint_seconds": 0.0,
    "optimizer.name": "sgd",
    "optimizer.momentum": 0.0,
    "optimizer.clip_norm": 0.0,
    "optimizer.schedule": "constant",
    "optimizer.warmup": 0.0,
    "optimizer.learning_rate": 0.2,
}
HUTTER = ONE_PASS | {
    "task.name": "zipf",
    "model.family": "memoriser",
    "model.width": 4096,
    "train.batch_size": 1,
    "train.steps": 400,
    "optimizer.learning_rate": zipf.EXACT_RATE,
}


def read(spec, data, *options):
    return read_arrays(spec, jax.device_put(data), *options)


def losses(settings, seeds, folder):
    run = replace(RunConfig(), settings)
    task = catalog.load(run.task, folder)
    orders = [Order(replace(run, {"train.seed": seed, "train.data_seed": seed})) for seed in range(seeds)]
    ended = loop.train_pack(orders, task, workdir=folder, strategy="vmap", say=lambda _: None)
    rows = [row for row, _ in ended]
    assert {row["status"] for row in rows} == {"finished"}
    return np.array([row["loss"] for row in rows])


@pytest.mark.parametrize("beta", [0.25, 1.3])
def test_runs_on_power_law_features_are_within_3_standard_errors_of_the_oracle(beta, tmp_path):
    found = losses(ONE_PASS | {"task.beta": beta}, 32, tmp_path)
    spectra = [power_law_features.spectrum(1.0, beta, 12, seed) for seed in range(32)]
    expected = np.array([one_pass.expected_risk(each, 0.2, 4, [120])[0] for each in spectra])
    assert abs(one_pass.deviation(found, expected, 4096)) < 3
    assert one_pass.deviation(found, 1.5 * expected, 4096) < -3  # so many runs do tell


def test_the_loss_of_a_memoriser_is_that_of_the_unseen(tmp_path):
    found = losses(HUTTER | {"task.alpha": 0.7}, 16, tmp_path)
    expected = zipf.expected_loss(0.7, 1 << 20, [400], 4096)[0]
    spread = zipf.loss_variance(0.7, 1 << 20, 400, 4096) / 16 + expected * (1 - expected) / 4096
    assert abs(found.mean() - expected) < 3.5 * np.sqrt(spread)


def test_what_a_law_gives_does_not_learn(tmp_path):
    run = replace(RunConfig(), ONE_PASS | {"train.steps": 20})
    seen = []
    loop.train(run, catalog.load(run.task, tmp_path), workdir=tmp_path, probe=lambda _, params: seen.append(params()))
    given = families.of(run.model).given(run.model, catalog.load(run.task, tmp_path).spec, 0)
    for name, tensor in given.items():
        np.testing.assert_array_equal(seen[-1][f"params/{name}"], tensor)
    assert np.abs(seen[-1]["params/linear"]).max() > 0


def test_a_random_projection_does_not_learn(tmp_path):
    changes = {"task.name": "images", "model.family": "features", "model.depth": 1, "model.width": 32}
    run = replace(RunConfig(), changes | {"train.steps": 300, "train.checkpoint_seconds": 0.0})
    seen = []
    task = catalog.load(run.task, tmp_path)
    row, _ = loop.train(run, task, workdir=tmp_path, probe=lambda _, params: seen.append(params()))
    np.testing.assert_array_equal(seen[0]["params/projection"], seen[-1]["params/projection"])
    assert seen[0]["params/projection"].std() == pytest.approx(1 / 8, rel=0.05)
    assert row["accuracy"] > 0.5
    assert row["n_params"] == 33 * 10


@pytest.mark.parametrize("name", ["power_law", "zipf"])
def test_counts_equal_the_traced_step(name, tmp_path):
    run = replace(RunConfig(), {**(ONE_PASS if name == "power_law" else HUTTER), "model.width": 12})
    task = catalog.load(run.task, tmp_path)
    step, data = Step(Shape.of(run, task.spec)), jax.device_put(order.training(task))
    params = step.abstract_state()["params"]
    starts = jax.ShapeDtypeStruct((5,), "int32")
    traced = product_flops(jax.grad(lambda p, s: step.losses_B(p, {"data_seed": 0}, data, s).mean()), params, starts)
    counts = families.count(run.model, task.spec)
    assert traced == 5 * counts.flops_per_token
    assert counts.n_params == 12


def test_streams_of_splits_and_seeds_are_apart_and_do_not_depend_on_the_batch(tmp_path):
    task = catalog.load(TaskConfig(name="manifold"), tmp_path)
    train, evaluated = order.training(task), order.evaluation(task)
    starts = np.arange(6)
    inputs, targets = read(task.spec, train, starts, 3)
    for data, seed in ((evaluated, 3), (train, 4)):
        assert not np.isin(np.asarray(read(task.spec, data, starts, seed)[1]), np.asarray(targets)).any()
    np.testing.assert_allclose(read(task.spec, train, starts[2:4], 3)[0], inputs[2:4], rtol=1e-5, atol=1e-6)
    assert order.places(task, 3, 2, 2, 5).tolist() == [[10, 11, 12, 13, 14], [15, 16, 17, 18, 19]]


def test_the_stream_of_a_manifold_is_as_numpy_has_it(tmp_path):
    task = catalog.load(TaskConfig(name="manifold", dimension=3), tmp_path)
    inputs, targets = (np.asarray(each) for each in read(task.spec, order.training(task), np.arange(4000)))
    own = manifold.manifold(3, 16, 0)
    points = inputs @ own.embedding  # its columns are orthonormal
    np.testing.assert_allclose(inputs, own.inputs(points), atol=1e-5)
    np.testing.assert_allclose(targets, own.targets(points), atol=1e-4)
    assert np.abs(points).max() <= 1 + 1e-5
    assert points.std() == pytest.approx(3**-0.5, rel=0.03)


def test_the_stream_of_items_has_their_probabilities(tmp_path):
    task = catalog.load(TaskConfig(name="zipf", alpha=0.5), tmp_path)
    items, targets = (np.asarray(each) for each in read(task.spec, order.training(task), np.arange(60000)))
    p = zipf.probabilities(0.5, 1 << 20)
    counts = np.bincount(items, minlength=1 << 20)
    for low, high in ((0, 1), (1, 2), (2, 10), (10, 1000), (1000, 1 << 20)):
        share = p[low:high].sum()
        assert abs(counts[low:high].sum() - 60000 * share) < 4 * np.sqrt(60000 * share * (1 - share))
    np.testing.assert_array_equal(targets, task.fixed["labels"][items])
