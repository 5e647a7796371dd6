"""Augmented examples against NumPy and SciPy, drawn as they should be, and the same in any batch."""

import dataclasses
import functools
import itertools

import jax
import numpy as np
import pytest
from augmented import EVERY, run, task
from scipy import stats
from shapes import quick_jit

from scaling_laws import families, hyper
from scaling_laws.config import AugmentConfig
from scaling_laws.models.traced import product_flops
from scaling_laws.spec import Spec
from scaling_laws.tasks import examples, order
from scaling_laws.train import augment, reading, state
from scaling_laws.train.shape import Shape
from scaling_laws.train.step import Step

N = 6000
PICTURE = np.arange(1, 13, dtype=np.uint8).reshape(4, 3, 1)
STARTS = np.array([3, 80, 41, 0, 3, 17, 60, 29])


@functools.partial(quick_jit, static_argnums=(0, 1))
def read(form, spec, data, numbers, starts_B, step):
    return augment.read(form, spec, data, numbers, starts_B, step)


def numbers(seed=0, noise=0.0, mixup=0.0):
    return {"data_seed": np.int32(seed), "augment.noise": np.float32(noise), "augment.mixup": np.float32(mixup)}


def drawn(form, step=0, seed=0):
    """(N, 4, 3) what becomes of the same picture N times."""
    data = {"inputs": np.broadcast_to(PICTURE, (N, 4, 3, 1)), "targets": np.zeros(N, np.int32)}
    data |= {"mean": np.array([2.0], np.float32), "scale": np.array([0.5], np.float32)}
    found, _ = read(form, Spec("image", (4, 3, 1), 2), data, numbers(seed), np.arange(N), step)
    return np.asarray(found)[..., 0]


def mixtures(alpha, spec, targets, step=0):
    """Of examples that are 1 in a place of their own: (N, N) what becomes of them, which tells the shares, and of their
    targets."""
    data = {"inputs": np.eye(len(targets), dtype=np.float32), "targets": targets}
    found = read(AugmentConfig(mixup=1.0), spec, data, numbers(mixup=alpha), np.arange(len(targets)), step)
    return [np.asarray(each, np.float64) for each in found]


def test_every_crop_is_that_of_numpy():
    picture = np.random.default_rng(0).normal(size=(5, 4, 2)).astype(np.float32)
    empty = np.array([-3.0, 7.0], np.float32)
    padded = np.stack([np.pad(picture[..., c], 2, constant_values=empty[c]) for c in (0, 1)], axis=-1)
    for row, column in itertools.product(range(5), range(5)):
        found = augment.crop(picture, (row, column), 2, empty)
        np.testing.assert_array_equal(found, padded[row : row + 5, column : column + 4])
    np.testing.assert_array_equal(augment.crop(picture, (2, 2), 2, empty), picture)


def test_crops_are_uniform_over_their_places_and_black_comes_in():
    padded = (np.pad(PICTURE[..., 0], 1).astype(np.float32) - 2) * np.float32(0.5)
    found, seen = drawn(AugmentConfig(crop=1)), []
    for row, column in itertools.product(range(3), range(3)):
        seen.append((found == padded[row : row + 4, column : column + 3]).all(axis=(1, 2)).sum())
    assert sum(seen) == N
    assert stats.chisquare(seen).pvalue > 1e-3


def test_half_of_the_pictures_are_mirrored_left_to_right():
    plain = (PICTURE[..., 0].astype(np.float32) - 2) * np.float32(0.5)
    found = drawn(AugmentConfig(flip=True))
    mirrored = (found == plain[:, ::-1]).all(axis=(1, 2))
    assert (mirrored | (found == plain).all(axis=(1, 2))).all()
    assert stats.binomtest(int(mirrored.sum()), N).pvalue > 1e-3


def test_noise_is_normal_with_the_deviation_asked_for():
    spec, inputs = Spec("vector", (10,), 1, "squared_error"), np.ones((N, 10), np.float32)
    data = {"inputs": inputs, "targets": np.zeros(N, np.float32)}
    found, targets = read(AugmentConfig(noise=1.0), spec, data, numbers(noise=0.25), np.arange(N), 0)
    normal = (np.asarray(found) - 1) / 0.25
    assert stats.kstest(normal.ravel(), stats.norm.cdf).pvalue > 1e-3
    assert np.abs(np.corrcoef(normal.T) - np.eye(10)).max() < 5 / N**0.5
    np.testing.assert_array_equal(targets, data["targets"])


@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
def test_shares_are_those_of_the_symmetric_beta_distribution(alpha):
    keys = jax.random.split(jax.random.key(int(10 * alpha)), 20_000)
    found = np.asarray(quick_jit(jax.vmap(augment.symmetric_beta, (0, None)))(keys, np.float32(alpha)))
    assert found.min() >= 0
    assert found.max() <= 1
    inner = stats.beta(alpha, alpha)
    low, high = 1e-3, 1 - 1e-3  # where float32 tells numbers apart
    within = found[(low < found) & (found < high)].astype(float)
    share = inner.cdf(high) - inner.cdf(low)
    assert stats.binomtest(len(within), len(found), share).pvalue > 1e-3
    assert stats.kstest(within, lambda x: (inner.cdf(x) - inner.cdf(low)) / share).pvalue > 1e-3
    assert found.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.03)


def test_mixup_mixes_inputs_and_classes_by_the_same_share():
    targets = np.random.default_rng(0).integers(0, 3, 400).astype(np.int32)
    weights, shares = mixtures(0.4, Spec("vector", (400,), 3), targets)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
    assert ((weights > 0).sum(axis=1) <= 2).all()
    np.testing.assert_allclose(shares, weights @ np.eye(3)[targets], atol=1e-6)
    own = np.diag(weights)
    assert own.min() >= 0.5
    assert np.square(own - 0.5).mean() == pytest.approx(1 / (4 * (2 * 0.4 + 1)), rel=0.15)  # of Beta(0.4, 0.4)


def test_mixup_mixes_numbers():
    targets = np.random.default_rng(0).normal(size=400).astype(np.float32)
    weights, found = mixtures(0.4, Spec("vector", (400,), 1, "squared_error"), targets)
    np.testing.assert_allclose(found, weights @ targets, rtol=1e-5, atol=1e-6)


def test_partners_are_any_examples_of_the_train_split():
    counts = np.zeros(40)
    for step in range(100):
        weights, _ = mixtures(1.0, Spec("vector", (40,), 2), np.zeros(40, np.int32), step)
        weights[np.diag_indices(40)] = 0
        counts += (weights > 0).sum(axis=0)
    assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("balance", [False, True])
def test_the_loss_of_a_mixture_is_the_mixture_of_weighted_losses(balance):
    """lam w_a l(a) + (1 - lam) w_b l(b), of a logistic regression of examples that are 1 in one place."""
    targets = np.random.default_rng(1).choice(3, 50, p=(0.7, 0.2, 0.1)).astype(np.int32)
    spec, own = Spec("vector", (50,), 3), run(model__depth=0, augment__crop=0, augment__flip=False, augment__noise=0.0)
    step, numbers = Step(Shape.of(own, spec)), hyper.hyperparameters(own)
    data = {"inputs": np.eye(50, dtype=np.float32), "targets": targets}
    class_weights = examples.class_weights(targets, 3) if balance else np.ones(3)
    data |= {"class_weights": class_weights} if balance else {}
    rng = np.random.default_rng(2)
    params = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), step.abstract_state()["params"])
    loss, _ = quick_jit(step._loss_and_gradients)(params, numbers, data, np.arange(50), 7)
    weights, _ = mixtures(0.4, spec, targets, 7)
    logits = weights @ params["linear"] + params["linear_bias"]
    losses = np.log(np.exp(logits).sum(axis=1, keepdims=True)) - logits  # (mixture, class)
    parts = weights * class_weights[targets] * losses[:, targets]
    assert float(loss) == pytest.approx(parts.sum(axis=1).mean(), rel=1e-5)


def everything(starts, seed=0, step=0):
    own = run(train__data_seed=seed)
    data, numbers = order.training(task()), hyper.hyperparameters(own)
    return read(Shape.of(own, task().spec).techniques.augment, task().spec, data, numbers, starts, step)


def test_an_example_is_the_same_in_any_batch_and_another_at_any_other_step_and_seed():
    inputs, targets = everything(STARTS)
    for rows in ([5, 2], [7, 6, 1, 0, 2, 3, 5, 4]):
        for found, whole in zip(everything(STARTS[rows]), (inputs, targets), strict=True):
            np.testing.assert_allclose(found, np.asarray(whole)[rows], rtol=1e-6, atol=1e-6)
    for other, _ in (everything(STARTS, step=1), everything(STARTS, seed=1)):
        assert (np.asarray(other) != np.asarray(inputs)).any(axis=(1, 2, 3)).all()


def test_neutral_it_is_the_same_program():
    own, neutral = task(), AugmentConfig()
    data = jax.device_put(order.training(own))
    ours = jax.make_jaxpr(lambda starts: augment.read(neutral, own.spec, data, numbers(), starts, 3))(STARTS)
    assert str(ours) == str(jax.make_jaxpr(lambda starts: reading.read(own.spec, data, starts))(STARTS))


@pytest.mark.parametrize("model", [{"family": "mlp"}, {"family": "convnet", "width": 4}])
def test_no_product_is_added(model):
    own, spec = run(**{f"model__{name}": value for name, value in model.items()}), task().spec
    step, numbers = Step(Shape.of(own, spec)), hyper.hyperparameters(own)
    counts, data = families.count(own.model, spec), jax.device_put(order.training(task()))
    params = step.abstract_state()["params"]
    found = product_flops(lambda p, starts: step._loss_and_gradients(p, numbers, data, starts, 3), params, STARTS)
    assert found == counts.flops_per_token * len(STARTS)


def test_noise_and_mixup_are_numbers_of_one_program():
    spec = task().spec
    one, other = run(), run(augment__noise=0.7, augment__mixup=2.0)
    assert Shape.of(one, spec) == Shape.of(other, spec)
    numbers = hyper.hyperparameters(other)
    assert (numbers["augment.noise"], numbers["augment.mixup"]) == pytest.approx((0.7, 2.0))
    for changes in ({"augment__noise": 0.0}, {"augment__mixup": 0.0}, {"augment__crop": 2}, {"augment__flip": False}):
        assert Shape.of(run(**changes), spec) != Shape.of(one, spec)
    assert set(EVERY) == {f"augment.{name}" for name in vars(one.augment)}


def test_an_evaluation_sees_examples_as_they_are():
    neutral, losses = dataclasses.replace(run(), augment=AugmentConfig()), []
    for each in (run(), neutral):
        step = Step(Shape.of(each, task().spec))
        fresh = state.initial(state.named(step.abstract_state()), step.rules, 0)
        params = state.tree(step.abstract_state(), fresh)["params"]
        losses.append(np.asarray(quick_jit(step.losses_B)(params, {"data_seed": 0}, order.evaluation(task()), STARTS)))
    np.testing.assert_array_equal(*losses)
