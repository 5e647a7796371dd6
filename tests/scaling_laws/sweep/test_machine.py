import os
from pathlib import Path

import pytest

from scaling_laws.sweep import machine


def test_a_quota_limits_the_cores(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 1, 2, 7})
    monkeypatch.setattr(machine, "_QUOTA", tmp_path / "cpu.max")
    assert machine.cores() == [1, 2, 3, 7]
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert machine.cores() == [1, 2]
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert len(machine.cores()) == 4


@pytest.mark.parametrize("platforms, found", [("cpu", False), ("cuda", True), ("tpu,cpu", True), ("cpu,cuda", False)])
def test_accelerator_by_choice(monkeypatch, platforms, found):
    monkeypatch.setenv("JAX_PLATFORMS", platforms)
    assert machine.accelerator() is found
    assert (machine.worker_count(0) == 1) is (found or len(machine.cores()) == 1)
    assert machine.worker_count(5) == 5
    assert bool(machine.worker_environment()) is not found


def test_flags_given_by_the_user_are_kept(monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=x")
    flags = machine.worker_environment()["XLA_FLAGS"].split()
    assert flags[0] == "--xla_dump_to=x"
    assert "--xla_cpu_multi_thread_eigen=false" in flags


def test_cache_folder_follows_the_user(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert machine.cache_folder() == tmp_path / "scaling_laws"
    assert tmp_path in machine.compile_cache_folder().parents
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert machine.cache_folder() == Path.home() / ".cache" / "scaling_laws"
