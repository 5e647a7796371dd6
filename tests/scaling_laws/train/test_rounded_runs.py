"""Runs that are rounded after training, against their kept parameters rounded and evaluated in NumPy."""

import augmented
import numpy as np
import pytest

from scaling_laws.config import identity, replace
from scaling_laws.train import kept, loop
from scaling_laws.train.member import Order

PLAIN = {"augment__crop": 0, "augment__flip": False, "augment__noise": 0.0, "augment__mixup": 0.0}
BITS = (8, 4, 2)
DEEP = {"model.depth": 3, "train.keep_parameters": True, "train.steps": 40, "optimizer.learning_rate": 0.004}


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """Rows of the same run without rounding and with, and the parameters that each has kept."""
    folder, task = tmp_path_factory.mktemp("rounded"), augmented.task()
    plain = replace(augmented.run(**PLAIN), DEEP)
    after = [replace(plain, {"quantize.weight_bits": bits, "quantize.when": "after"}) for bits in BITS]
    rows = {}
    for runs in ([plain], after):
        found = loop.train_pack([Order(run) for run in runs], task, workdir=folder, say=lambda _: None)
        rows |= {row["run_id"]: row for row, _ in found}
    by_bits = dict(zip((0, *BITS), [identity(run, task.content_hash) for run in (plain, *after)], strict=True))
    return {bits: (rows[name], kept.read(folder, name)) for bits, name in by_bits.items()}


def by_hand(params, bits):
    """The held-out loss of the perceptron in float64, its hidden layers' matrices rounded channel by channel."""
    task, layers = augmented.task(), {k.removeprefix("params/"): v.astype(float) for k, v in params.items()}
    inputs = (task.heldout["inputs"].astype(float) - 70) * 0.02
    x = np.maximum(inputs.reshape(len(inputs), -1) @ layers["input"] + layers["input_bias"], 0)
    for index in range(2):
        matrix, bias = layers[f"block_{index}/residual"], layers[f"block_{index}/bias"]
        if bits:
            scale, most = abs(matrix).max(axis=0) / (2 ** (bits - 1) - 0.5), 2 ** (bits - 1) - 1
            matrix = scale * np.clip(np.round(matrix / scale), -most, most)
        x = x + np.maximum(x @ matrix + bias, 0) * DEPTH
    logits = (x @ layers["head"]) * WIDTH + layers["head_bias"]
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_p[np.arange(len(log_p)), task.heldout["targets"]].mean()


DEPTH, WIDTH = 1 / 2, 64 / 8  # the default parametrisation's multipliers of branches and logits


def test_all_end_with_the_same_parameters_in_full_precision(ended):
    _, baseline = ended[0]
    for bits in BITS:
        for name, tensor in ended[bits][1].items():
            np.testing.assert_array_equal(tensor, baseline[name])


@pytest.mark.parametrize("bits", [0, *BITS])
def test_the_loss_is_that_of_the_kept_parameters_rounded_by_hand(ended, bits):
    row, params = ended[bits]
    assert row["loss"] == pytest.approx(by_hand(params, bits), rel=1e-5)


def test_eight_bits_cost_next_to_nothing_and_two_much(ended):
    loss = {bits: row["loss"] for bits, (row, _) in ended.items()}
    assert abs(loss[8] - loss[0]) < 0.02 * loss[0]
    assert loss[2] > loss[4] > 0.95 * loss[0]
    assert loss[2] > 1.05 * loss[0]


def test_rows_say_what_a_stored_model_takes(ended):
    width, inputs, outputs = 8, 20, 3
    rest = (inputs + 1) * width + (width + 1) * outputs + 2 * width
    for bits in BITS:
        row, _ = ended[bits]
        assert (row["technique"], row["strength"]) == ("quantize_weights_after", 1 / bits)
        assert row["model_bytes"] == 2 * (width * width * bits // 8 + 4 * width) + 4 * rest
    assert ended[0][0]["model_bytes"] is None
