"""Which launcher a configuration gets, and with what."""

import sys

import pytest

from scaling_laws.config import ConfigError, TaskConfig
from scaling_laws.sweep import launch, machine
from scaling_laws.sweep.execute import Limits
from scaling_laws.sweep.packing import ALONE, Packing
from scaling_laws.sweep.pool import Pool


def test_processes_of_this_machine_by_default(experiment, tmp_path):
    pool = launch.launcher(experiment(), TaskConfig(), tmp_path, "c0ffee", 3)
    assert isinstance(pool, Pool)
    assert len(pool.workers) == pool.at_once == 3
    assert launch.limits(experiment()) == Limits(25.0, 1800.0, 2)
    assert launch.worker_count(experiment()) == machine.worker_count(0)


def test_a_cluster_has_its_own_limits_and_packs(experiment):
    """What is packed follows what a worker of the cluster has, not this machine."""
    assert launch.limits(experiment(cluster__launcher="ray", cluster__attempts=5)).attempts == 5
    assert launch.worker_count(experiment(cluster__launcher="slurm")) == 1
    assert launch.worker_count(experiment(cluster__launcher="slurm", sweep__workers=40)) == 40
    found = {
        (name, gpus): launch.choices(experiment(cluster__launcher=name, cluster__gpus=gpus))
        for name in ("ray", "slurm")
        for gpus in (0, 1, 4)
    }
    assert {choices.rule for (_, gpus), choices in found.items() if gpus == 0} == {ALONE}
    assert {choices.rule for (_, gpus), choices in found.items() if gpus == 1} == {Packing(32, "vmap")}
    assert {choices.rule for (_, gpus), choices in found.items() if gpus == 4} == {Packing(32, "vmap", 4)}
    assert all(bool(choices.options) is (name == "ray") for (name, _), choices in found.items())


@pytest.mark.parametrize("name, package", [("ray", "ray"), ("slurm", "submitit")])
def test_a_package_that_is_missing_is_named(experiment, tmp_path, monkeypatch, name, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=f"{package} is not installed; allowed: after scripts/setup --extra {name}"):
        launch.launcher(experiment(cluster__launcher=name), TaskConfig(), tmp_path, "c0ffee", 1)
