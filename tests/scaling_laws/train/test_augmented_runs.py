"""Augmented runs: resumed, packed, spread over devices."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from augmented import run, task

from scaling_laws.config import form
from scaling_laws.train import loop
from scaling_laws.train.member import Order

VARIED = (
    run(),
    run(train__seed=1, train__data_seed=2),
    run(augment__noise=0.5, augment__mixup=1.5, optimizer__learning_rate=0.01),
)


def trained(runs, workdir, **options):
    return list(loop.train_pack([Order(each) for each in runs], task(), workdir=workdir, say=lambda _: None, **options))


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return [trained([each], tmp_path_factory.mktemp("alone"))[0] for each in VARIED]


def check(ended, alone, rel):
    for (row, curve), (expected_row, expected_curve) in zip(ended, alone, strict=True):
        assert row["run_id"] == expected_row["run_id"]
        assert row["loss"] == pytest.approx(expected_row["loss"], rel=rel)
        for point, expected in zip(curve, expected_curve, strict=True):
            assert point["train_loss"] == pytest.approx(expected["train_loss"], rel=rel)


def test_the_row_names_the_techniques(alone):
    rows = [row for row, _ in alone]
    assert {row["technique"] for row in rows} == {"crop+flip+noise+mixup"}
    assert [row["strength"] for row in rows] == pytest.approx([2.6, 2.6, 4.0])
    assert json.loads(rows[2]["config"])["augment.mixup"] == 1.5


def test_stopped_and_resumed_is_bit_for_bit_undisturbed(alone, tmp_path):
    asked = itertools.count()
    with pytest.raises(loop.StopRequested):
        trained(VARIED[:1], tmp_path, stop=lambda: next(asked) > 1)
    ((row, curve),) = trained(VARIED[:1], tmp_path)
    assert row["resumed"] == 1
    assert (row["loss"], curve) == (alone[0][0]["loss"], alone[0][1])


@pytest.mark.parametrize("strategy", ["map", "vmap"])
def test_a_packed_run_equals_the_run_alone(alone, tmp_path, strategy):
    assert len({form(each) for each in VARIED}) == 1
    check(trained(VARIED, tmp_path, strategy=strategy), alone, 1e-5)


def test_devices_and_parts_of_a_batch_change_nothing(alone):
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=4"
    done = subprocess.run(
        [sys.executable, Path(__file__).parents[1] / "augmented_on_devices.py"],
        env={**os.environ, "XLA_FLAGS": f"{flags} --xla_backend_optimization_level=0", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    row, curve = alone[0]
    for layout, losses in found.items():
        expected = [row["loss"], *(point["train_loss"] for point in curve)]
        assert losses == pytest.approx(expected, rel=1e-5), layout
