"""A model as one file against its own module: outputs, sizes, damage."""

import jax
import numpy as np
import pytest
from jax import export

from scaling_laws import spec
from scaling_laws.config import ConfigError, RunConfig, replace
from scaling_laws.tasks.task import Task
from scaling_laws.techniques import stored
from scaling_laws.train import deployed, latency, packing, state

RNG = np.random.default_rng(0)
TOKENS = {"tokens": RNG.integers(0, 256, 400).astype(np.uint8)}
TEXT = Task("text", spec.text(256, 16), TOKENS, TOKENS, TOKENS, "feed")
PIXELS = {"inputs": RNG.integers(0, 255, (9, 4, 4, 1)).astype(np.uint8), "targets": np.zeros(9, np.int32)}
FIXED = {"mean": np.array([100.0], np.float32), "scale": np.array([0.02], np.float32)}
PICTURES = Task("images", spec.Spec("image", (4, 4, 1), 3), PIXELS, PIXELS, PIXELS, "feed", FIXED)
TINY = {"model.width": 16, "model.head_dim": 8, "model.depth": 1, "task.context": 16}
DEEP = {"model.family": "mlp", "model.width": 32, "model.depth": 4, "task.name": "images"}


def model(task=PICTURES, **changes):
    """One with fresh parameters; `changes` of `quantize`."""
    form = DEEP if task is PICTURES else TINY
    run = replace(RunConfig(), form | {f"quantize.{name}": value for name, value in changes.items()})
    found = deployed.Model(run, task, {})
    fresh = state.initial(state.named(found.step.abstract_state()), found.step.rules, 0)
    found.parameters = state.params(fresh)
    return found


def test_a_stage_of_boosting_is_no_model():
    run = replace(RunConfig(), DEEP | {"boost.previous": "0" * 16})
    with pytest.raises(ConfigError, match=r"boost\.previous: 0{16}; allowed: none, for a stage is no model by itself"):
        deployed.Model(run, PICTURES, {})


@pytest.mark.parametrize("bits", range(2, 9))
def test_whole_numbers_come_back_from_the_bits_they_are_packed_into(bits):
    most = 2 ** (bits - 1) - 1
    whole = RNG.integers(-most, most + 1, (7, 5)).astype(np.float32)
    whole[0, :2] = -most, most
    found = packing.packed(whole, bits)
    assert found.nbytes == -(-35 * bits // 8)
    np.testing.assert_array_equal(packing.unpacked(found, bits, whole.shape), whole)
    if bits == 4:  # two a byte, the first in the lower half
        np.testing.assert_array_equal(found[0], int(whole[0, 0] + 7) + 16 * int(whole[0, 1] + 7))


@pytest.mark.parametrize(
    "task, changes",
    [
        (TEXT, {"weight_bits": 3, "activation_bits": 8, "granularity": "group", "group": 6}),
        (PICTURES, {}),
    ],
)
def test_the_file_gives_the_modules_own_outputs_bit_for_bit(task, changes, tmp_path):
    one = model(task, **changes)
    deployed.write(tmp_path / "new" / "model", one.exported())
    loaded, own = deployed.read(tmp_path / "new" / "model"), one.own()
    for n in (1, 3):
        np.testing.assert_array_equal(loaded(one.examples(n)), own(one.examples(n)))
    plain = export.deserialize(bytearray((tmp_path / "new" / "model").read_bytes()))
    np.testing.assert_array_equal(jax.jit(plain.call)(one.examples(1)), own(one.examples(1)))


def test_a_file_is_as_small_as_its_stored_parameters():
    sizes = {}
    for bits in (0, 8, 4):
        one = model(weight_bits=bits)
        shapes = {name.removeprefix(state.PARAMS): leaf.shape for name, leaf in one.parameters.items()}
        counted = stored.model_bytes(replace(RunConfig(), {"quantize.weight_bits": bits}).quantize, shapes)
        sizes[bits] = len(one.exported()) - (counted or one.float_bytes)
    assert all(0 < rest < 10_000 for rest in sizes.values())  # the program itself


@pytest.mark.parametrize(
    "damage, words",
    [
        (lambda data: data[:-1], "no model, or not all of one"),
        (lambda data: data[:500] + bytes([data[500] ^ 1]) + data[501:], "damaged"),
        (lambda _: b"", "no model"),
        (lambda data: data[-40:], "damaged"),
    ],
)
def test_a_damaged_file_is_one_line(damage, words, tmp_path):
    (tmp_path / "model").write_bytes(damage(model().exported()))
    with pytest.raises(deployed.DeployedError, match=words) as refusal:
        deployed.read(tmp_path / "model")
    assert str(tmp_path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_model_for_another_device_is_refused(tmp_path, monkeypatch):
    deployed.write(tmp_path / "model", model().exported())
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
    with pytest.raises(deployed.DeployedError, match="a model for cpu; allowed: one for tpu"):
        deployed.read(tmp_path / "model")


def test_speeds_are_of_every_side_and_call(monkeypatch):
    clock = iter(np.arange(1000.0))
    monkeypatch.setattr(latency.time, "perf_counter", lambda: next(clock))
    seen = []
    found = latency.measured({"one": seen.append, "two": lambda x: x}, np.zeros((4, 2)), 3, 10)
    assert found["one"] == found["two"] == latency.Speed(4, 12.0, 1.0, 1.0)  # every call takes one tick
    assert [len(x) for x in seen] == [1, 4, 1, 4, *[1] * 9]
