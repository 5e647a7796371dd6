"""Meshes and pmap on eight simulated devices, in a process of their own, against one device."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scaling_laws import validation
from scaling_laws.config import ConfigError, RunConfig, replace
from scaling_laws.train.layout import Layout

LAYOUTS = ("data", "fsdp", "data x fsdp", "pmap", "brought", "pack", "pack x data", "pack x fsdp")


@pytest.fixture(scope="module")
def found():
    compiled_in_haste = "--xla_force_host_platform_device_count=8 --xla_backend_optimization_level=0"
    flags = f"{os.environ.get('XLA_FLAGS', '')} {compiled_in_haste}"
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("on_devices.py")],
        env={**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_thirty_steps_equal_those_on_one_device(found, layout):
    assert max(found[layout][name] for name in ("losses", "params", "evaluated")) < 1e-5


@pytest.mark.parametrize("layout", ["accumulated", "accumulated on 4"])
def test_gradients_summed_over_parts_are_those_of_the_batch(found, layout):
    assert max(found[layout].values()) < 1e-5


@pytest.mark.parametrize("devices", ["8, 4, 1 devices", "1, 4, 4 devices"])
def test_a_checkpoint_goes_on_on_another_number_of_devices(found, devices):
    assert max(found[devices].values()) < 1e-5


def test_shares_of_a_state_make_the_whole(found):
    assert found["shares"] is True


def test_thirty_steps_have_moved_the_model(found):
    assert found["one"]["fell"] > 0.05


def test_parameters_and_moments_are_really_cut(found):
    whole = found["one"]["bytes"]
    assert whole / 8 <= found["fsdp"]["bytes"] < 1.1 * whole / 8
    assert whole / 4 <= found["data x fsdp"]["bytes"] < 1.1 * whole / 4
    assert found["data"]["bytes"] == found["pmap"]["bytes"] == whole
    assert found["pack"]["bytes"] == whole
    assert found["pack x data"]["bytes"] == 2 * whole


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"data_devices": 64}, "64 devices; allowed: at most"),
        ({"members": 3, "strategy": "side by side"}, "allowed: map, vmap"),
        ({"processes": 2, "data_devices": 0}, "train.fsdp_devices: 0; allowed: .*, all devices of 2 processes"),
    ],
)
def test_a_layout_that_cannot_be_had_is_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        Layout(**settings).check()


def test_a_batch_that_cannot_be_shared_out_is_refused():
    run = replace(RunConfig(), {"train.batch_size": 12, "train.accumulation": 3, "train.data_devices": 8})
    with pytest.raises(ConfigError, match=r"train.batch_size: 12; allowed: a multiple of 24"):
        validation.validate_run(run)
