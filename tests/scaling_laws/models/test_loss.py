"""The loss in chunks against the loss in one piece, and what that saves."""

import jax
import numpy as np
import pytest

from scaling_laws import parametrization, spec
from scaling_laws.config import ModelConfig, RunConfig, replace
from scaling_laws.models.build import build
from scaling_laws.train import parts

V, B, L = 512, 6, 16
MODEL = ModelConfig(width=8, depth=1, head_dim=4)


def of_chunks(chunks, tie=False):
    model = replace(RunConfig(model=MODEL), {"model.tie_embeddings": tie}).model
    rules = parametrization.rules(parametrization.Scheme(), model)
    module = build(model, spec.text(V, L), rules)
    windows = np.random.default_rng(0).integers(0, V, (B, L + 1))
    params = module.init(jax.random.key(0), windows[:, :-1])["params"]

    def mean_loss(params):
        losses_BxL = module.apply({"params": params}, windows[:, :-1], windows[:, 1:], chunks)
        return losses_BxL.mean(), losses_BxL

    logits = module.apply({"params": params}, windows[:, :-1])
    return jax.value_and_grad(mean_loss, has_aux=True), params, logits, windows


@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize("chunks", [2, 6])
def test_losses_and_gradients_are_those_of_one_piece(chunks, tie):
    whole, params, logits, windows = of_chunks(1, tie)
    (_, expected), slopes = whole(params)
    by_hand = -np.take_along_axis(np.asarray(jax.nn.log_softmax(logits)), windows[:, 1:, None], -1)[..., 0]
    np.testing.assert_allclose(expected, by_hand, rtol=1e-5)
    (_, losses), found = of_chunks(chunks, tie)[0](params)
    np.testing.assert_allclose(losses, expected, rtol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-7), found, slopes)


def test_chunks_take_less_memory():
    needed = []
    for chunks in (1, 6):
        function, params, *_ = of_chunks(chunks)
        needed.append(jax.jit(function).lower(params).compile().memory_analysis().temp_size_in_bytes)
    assert needed[1] < needed[0] - 4 * V * B * L / 2


def test_logits_beyond_the_limit_are_made_in_the_fewest_chunks(monkeypatch):
    run = replace(RunConfig(), {"train.batch_size": 12, "task.context": 128})
    assert parts.of_loss(run, spec.text(256, run.task.context), 1) == 1
    monkeypatch.setattr(parts, "LOGITS", 4 * 128 * 256 * 5)  # five windows
    assert parts.of_loss(run, spec.text(256, run.task.context), 1) == 3
    assert parts.of_loss(run, spec.text(256, run.task.context), 3) == 1
    assert parts.of_loss(replace(run, {"train.data_devices": 2}), spec.text(256, run.task.context), 1) == 2
    assert parts.of_loss(run, spec.text(65536, run.task.context), 1) == 12
    assert (
        parts.of_loss(replace(run, {"train.batch_size": 14}), spec.text(256, run.task.context), 1) == 7
    )  # chunks of one size
