"""Regularisation in the compiled step against its formulas: dropout, label smoothing, L1 and L2; what is neutral."""

import dataclasses

import augmented
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from scipy import stats
from shapes import quick_jit

from scaling_laws import hyper, optim, spec
from scaling_laws.config import RegulariseConfig, RunConfig, replace
from scaling_laws.models import hooks
from scaling_laws.tasks import order
from scaling_laws.train import state
from scaling_laws.train.shape import Shape
from scaling_laws.train.step import Step

L, B = 16, 4
TEXT = {"tokens": np.random.default_rng(0).integers(0, 256, 400).astype(np.uint8)}
STARTS = np.array([3, 40, 200, 77])
TINY = {"model.width": 8, "model.head_dim": 4, "task.context": L, "train.batch_size": B, "train.accumulation": 1}
TINY |= {"train.steps_per_dispatch": 3, "optimizer.weight_decay": 0.1}
EVERY = {"dropout": 0.3, "l1": 1e-3, "l2": 1e-2, "label_smoothing": 0.1}


def text_step(parts=1, **changes):
    """A step on texts, with the numbers of its run; `changes` of `regularise`, and __ for a dot elsewhere."""
    dotted = {k.replace("__", ".") if "__" in k else f"regularise.{k}": v for k, v in changes.items()}
    run = replace(RunConfig(), TINY | {"model.depth": 1} | dotted)
    shape = dataclasses.replace(Shape.of(run, spec.text(256, L)), parts=parts)
    return Step(shape), hyper.hyperparameters(run)


def fresh(step):
    template = step.abstract_state()
    return state.tree(template, state.initial(state.named(template), step.rules, 0))


def forced(step):
    """The same step with every technique of `EVERY` in its program, whatever its numbers."""
    techniques = dataclasses.replace(step.shape.techniques, regularise=RegulariseConfig(1.0, 1.0, 1.0, 1.0))
    return Step(dataclasses.replace(step.shape, techniques=techniques))


def gradients(step, numbers, params=None, at=0):
    params = fresh(step)["params"] if params is None else params
    return quick_jit(step._loss_and_gradients)(params, numbers, TEXT, STARTS, at)


class Through(nn.Module):
    """Dropout alone, twice."""

    @nn.compact
    def __call__(self, x):
        return hooks.dropped(self, x), hooks.dropped(self, x)


def through(x, examples, rate, seed=0):
    with hooks.during(hooks.Hooks(hooks.Dropout(jnp.float32(rate), jnp.asarray(examples)))):
        return Through().apply({}, x, rngs={hooks.DROPOUT: jax.random.key(seed)})


def test_a_share_is_dropped_at_random_and_the_mean_stays():
    x = np.full((20, 5000), 3.0, np.float32)
    first, second = (np.asarray(each) for each in through(x, np.arange(20), 0.3))
    for found in (first, second):
        assert set(np.unique(found).tolist()) == {0.0, float(np.float32(3) / (np.float32(1) - np.float32(0.3)))}
        assert stats.binomtest(int((found == 0).sum()), found.size, 0.3).pvalue > 1e-3
    # neither the layers nor the examples go together
    dropped = np.concatenate([first == 0, second == 0]).astype(float)
    assert np.abs(np.corrcoef(dropped) - np.eye(40)).max() < 5 / 5000**0.5


def test_what_is_dropped_of_an_example_is_its_own():
    x = np.ones((6, 50), np.float32)
    examples = np.array([5, 9, 5, 2, 1, 9])
    whole, _ = through(x, examples, 0.5)
    part, _ = through(x[:2], examples[[3, 1]], 0.5)
    np.testing.assert_array_equal(part, np.asarray(whole)[[3, 1]])
    np.testing.assert_array_equal(whole[0], whole[2])
    other, _ = through(x, examples, 0.5, seed=1)
    assert (np.asarray(whole) != np.asarray(other)).any()


@pytest.mark.parametrize("rate", [0.0, 0.75])
def test_outside_of_training_nothing_is_dropped(rate):
    x = np.random.default_rng(0).normal(size=(3, 7)).astype(np.float32)
    found, _ = Through().apply({}, x)
    np.testing.assert_array_equal(found, x)
    if not rate:
        np.testing.assert_array_equal(through(x, np.arange(3), rate)[0], x)


@pytest.mark.parametrize("parts", [1, 2])
def test_dropout_in_a_step_does_not_depend_on_how_a_batch_is_cut(parts):
    one, numbers = text_step(dropout=0.4)
    cut, _ = text_step(parts=parts, dropout=0.4, model__layers="scanned" if parts == 1 else "auto")
    loss, _ = gradients(one, numbers)
    plain, _ = gradients(*text_step())
    assert abs(float(loss) - float(plain)) > 1e-3
    if parts > 1:
        assert float(gradients(cut, numbers)[0]) == pytest.approx(float(loss), rel=1e-6)
    else:  # stacked blocks drop too, each its own
        assert float(gradients(cut, numbers)[0]) != pytest.approx(float(gradients(cut, numbers, at=1)[0]), rel=1e-4)


def test_label_smoothing_spreads_the_target_over_all_classes():
    """Szegedy et al. 2016, section 7: cross-entropy against (1 - eps) one-hot + eps / K, written out."""
    step, numbers = text_step(label_smoothing=0.2)
    params = fresh(step)["params"] | {"head": 3 * fresh(step)["params"]["head"]}
    windows = TEXT["tokens"][STARTS[:, None] + np.arange(L + 1)].astype(int)

    def written_out(params):
        log_p = jax.nn.log_softmax(step.module.apply({"params": params}, windows[:, :-1]))
        targets = 0.8 * jax.nn.one_hot(windows[:, 1:], 256) + 0.2 / 256
        return -(targets * log_p).sum(-1).mean()

    plain, _ = gradients(text_step()[0], numbers, params)
    loss, grads = gradients(step, numbers, params)
    assert float(loss) == pytest.approx(float(plain), rel=1e-6)  # what is reported stays the cross-entropy
    same(grads, quick_jit(jax.grad(written_out))(params), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("weights", [None, np.array([0.5, 1.0, 2.0], np.float32)])
def test_label_smoothing_of_examples_with_weighted_classes(weights):
    run = augmented.run(augment__crop=0, augment__flip=False, augment__noise=0.0, augment__mixup=0.0)
    run = replace(run, {"regularise.label_smoothing": 0.3})
    task = augmented.task(**({} if weights is None else {"class_weights": weights}))
    step, numbers = Step(Shape.of(run, task.spec)), hyper.hyperparameters(run)
    params, data, starts = fresh(step)["params"], order.training(task), np.array([0, 5, 9])
    inputs = (data["inputs"][starts].astype(np.float32) - 70) * np.float32(0.02)

    def written_out(params):
        log_p = jax.nn.log_softmax(step.module.apply({"params": params}, inputs))
        targets = 0.7 * jax.nn.one_hot(data["targets"][starts], 3) + 0.1
        return -(targets * log_p * (1.0 if weights is None else weights)).sum(-1).mean()

    _, grads = quick_jit(step._loss_and_gradients)(params, numbers, data, starts)
    same(grads, quick_jit(jax.grad(written_out))(params), rtol=1e-4, atol=1e-6)


def test_penalties_add_their_derivatives_to_the_matrices_alone():
    step, numbers = text_step(l1=1e-3, l2=1e-2)
    params = jax.tree.map(lambda leaf: leaf + np.float32(0.1), fresh(step)["params"])
    _, plain = gradients(text_step()[0], numbers, params)
    _, found = gradients(step, numbers, params)

    def wanted(path, grad, param):
        shrinks = step.rules.for_path(optim.tensor_names(path)).weight_decay
        assert bool(shrinks) == (path[-1].key != "scale")
        return grad + bool(shrinks) * (1e-3 * jnp.sign(param) + 1e-2 * param)

    same(found, jax.tree_util.tree_map_with_path(wanted, plain, params), rtol=1e-4, atol=1e-6)


def test_at_strength_0_its_own_path_is_bitwise_the_baseline():
    step, numbers = text_step(model__depth=2)
    starts_KxB = np.stack([STARTS, STARTS + 1, STARTS + 2])
    runs = [jax.jit(each.advance)(fresh(step), numbers, TEXT, starts_KxB, 3, True) for each in (step, forced(step))]
    same(runs[1], runs[0], rtol=0, atol=0)


def test_the_baseline_is_approached_as_the_strength_goes_to_0():
    step, numbers = text_step()
    params, program = fresh(step)["params"], quick_jit(forced(step)._loss_and_gradients)
    _, baseline = gradients(step, numbers, params)

    def distance(strength):
        changed = {f"regularise.{name}": np.float32(strength * value) for name, value in EVERY.items()}
        _, grads = program(params, numbers | changed, TEXT, STARTS, 0)
        return sum(
            float(jnp.square(a - b).sum()) for a, b in zip(*map(jax.tree.leaves, (grads, baseline)), strict=True)
        )

    far, near, at = (distance(strength) for strength in (1, 0.01, 0))
    assert far > 10 * near > 0 == at


def test_its_numbers_are_arguments_of_one_program():
    (one, small), (other, large) = text_step(**EVERY), text_step(**{k: v / 2 for k, v in EVERY.items()})
    assert one.shape == other.shape != text_step()[0].shape
    for name, value in EVERY.items():
        path = f"regularise.{name}"
        assert (float(small[path]), float(large[path])) == pytest.approx((value, value / 2))


def same(found, wanted, **tolerance):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **tolerance), found, wanted)
