"""The noise scale against its closed form on a quadratic task, and against gradients of a transformer one by one."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from shapes import quick_jit

from scaling_laws.config import RunConfig, replace
from scaling_laws.tasks import known, order
from scaling_laws.train import state as states
from scaling_laws.train.noise_probe import STREAM, NoiseProbe, as_row
from scaling_laws.train.noise_scale import Moments, moments, noise_scale
from scaling_laws.train.reading import read
from scaling_laws.train.shape import Shape
from scaling_laws.train.step import Step

CURVATURE = np.array([3.0, 2.0, 1.0, 0.5, 0.25])
NOISE = np.array([0.5, 1.0, 2.0, 1.5, 0.1])  # standard deviation of each example's optimum
PLACE = np.array([0.6, -0.4, 0.9, 1.3, -0.8])


def quadratic(params, examples_NxP):
    """Mean over examples x of 1/2 sum_i h_i (theta_i - x_i)^2: G = h theta and Sigma = diag(h^2 noise^2)."""
    return 0.5 * (CURVATURE * (params - examples_NxP) ** 2).sum(axis=1).mean()


def closed_form():
    return (CURVATURE**2 * NOISE**2).sum() / ((CURVATURE * PLACE) ** 2).sum()


@functools.partial(jax.jit, static_argnums=1)
def both_lengths(examples_KxNxP, group):
    return jax.vmap(lambda batch: moments(quadratic, jnp.asarray(PLACE), batch, group))(examples_KxNxP)


def measured(seed, group, n=16, n_batches=64):
    examples = NOISE * np.random.default_rng(seed).normal(size=(n_batches, n, 5))
    both = (np.asarray(found_K) for found_K in both_lengths(examples, group))
    return noise_scale([Moments(float(a), float(b), group, n) for a, b in zip(*both, strict=True)])


@pytest.mark.parametrize("group", [1, 4])
def test_a_quadratic_task_gives_its_closed_form_within_five_per_cent(group):
    found = [measured(seed, group) for seed in range(40)]
    assert np.mean([one.examples for one in found]) == pytest.approx(closed_form(), rel=0.05)
    assert np.mean([one.square for one in found]) == pytest.approx(((CURVATURE * PLACE) ** 2).sum(), rel=0.02)
    assert np.mean([one.trace for one in found]) == pytest.approx((CURVATURE**2 * NOISE**2).sum(), rel=0.02)
    single = measured(99, group, n=64, n_batches=512)  # one measurement, of 32768 examples
    assert single.examples == pytest.approx(closed_form(), rel=0.05)


def test_intervals_hold_the_truth_as_often_as_they_say():
    found = [measured(seed, 1) for seed in range(200)]
    inside = np.mean([one.low < closed_form() < one.high for one in found])
    assert 0.83 < inside < 0.96  # 90 % and three standard deviations of 200 draws


def test_without_a_gradient_there_is_no_ratio():
    examples = np.random.default_rng(0).normal(size=(8, 4, 5))
    both = [moments(quadratic, jnp.zeros(5), jnp.asarray(batch)) for batch in examples]
    found = noise_scale([Moments(float(a), float(b), 1, 4) for a, b in both])
    assert np.isnan(found.examples)
    assert found.trace > 0


def test_bad_groups_are_refused():
    for group in (3, 4, 0):
        with pytest.raises(ValueError, match="group"):
            moments(quadratic, jnp.zeros(5), jnp.zeros((4, 5)), group)
    with pytest.raises(ValueError, match="batches"):
        noise_scale([Moments(1.0, 1.0, 1, 4)])


@pytest.fixture
def run():
    small = {"model.width": 8, "model.depth": 1, "model.head_dim": 4, "task.context": 16, "train.batch_size": 8}
    return replace(RunConfig(), small)


@pytest.mark.parametrize("group", [1, 2])
def test_a_transformer_by_brute_force(run, task, group):
    shape = Shape.of(run, task.spec)
    step = Step(shape)
    state = states.params(states.initial(states.named(step.abstract_state()), step.rules, seed=3))
    tree = states.tree({"params": step.abstract_state()["params"]}, state)["params"]
    starts_KxN = np.random.default_rng(0).integers(0, task.length("train") - 17, (3, 6)).astype(np.int32)
    data = jax.device_put(task.train)
    gradient_of = quick_jit(jax.grad(lambda p, starts: step.losses_B(p, {"data_seed": 0}, data, starts).mean()))

    def flat_gradient(starts):
        gradient = gradient_of(tree, jnp.asarray(starts))
        return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(gradient)]).astype(float)

    rows = []
    for starts in starts_KxN:
        each = np.stack([flat_gradient(starts[i : i + group]) for i in range(0, 6, group)])
        trace = group * each.var(axis=0, ddof=1).sum()  # of one window
        rows.append((trace, (each.mean(axis=0) ** 2).sum() - trace / 6))
    by_hand = np.mean(rows, axis=0)
    found = NoiseProbe(run, task, windows=6, n_batches=3, group=group).at(state, starts_KxN)
    assert found.trace == pytest.approx(by_hand[0], rel=1e-4)
    assert found.square == pytest.approx(by_hand[1], rel=1e-3)


def test_a_probe_draws_the_same_windows_each_time(run, task):
    probe = NoiseProbe(run, task, windows=4, n_batches=5)
    state = states.params(states.initial(probe.template, probe.rules, seed=0))
    assert probe.at(state) == probe.at(state)
    assert probe.at(state).examples > 0
    assert probe.starts_KxN.shape == (5, 4)
    assert len(np.unique(probe.starts_KxN)) == 20
    row = as_row(probe.at(state), run.task.context)
    assert row["tokens"] == 16 * row["windows"] == 16 * probe.at(state).examples


def test_a_probe_of_a_stream_draws_by_the_seed_of_the_data():
    """A linear model starts at 0, where the gradient of an example is known by hand."""
    settings = {"task.name": "manifold", "model.family": "mlp", "model.depth": 0, "train.batch_size": 8}
    runs = [replace(RunConfig(), settings | {"train.data_seed": seed}) for seed in (0, 7)]
    task = known.manifold(runs[0].task, None)
    probes = [NoiseProbe(run, task, windows=16, n_batches=2) for run in runs]
    state = states.params(states.initial(probes[0].template, probes[0].rules, seed=0))
    found = [probe.at(state) for probe in probes]
    assert found[0] != found[1]
    for probe, run, measured in zip(probes, runs, found, strict=True):
        rows = []
        for starts in probe.starts_KxN:
            seed = run.train.data_seed ^ STREAM
            inputs, targets = read(task.spec, jax.device_put(order.training(task)), starts, seed)
            slopes_NxP = -2 * np.asarray(targets)[:, None] * np.c_[inputs, np.ones(len(inputs))]
            rows.append(slopes_NxP.var(axis=0, ddof=1).sum())
        assert measured.trace == pytest.approx(np.mean(rows), rel=1e-4)
