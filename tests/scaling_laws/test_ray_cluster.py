"""The way into a Ray cluster, with a module in Ray's place: what is asked of it, and one line where it cannot be."""

import importlib
import types

import pytest
from teams import free_port

from scaling_laws import ray_cluster
from scaling_laws.config import ConfigError


@pytest.fixture
def ray(monkeypatch):
    """A Ray that says yes; `asked`: the addresses that it was asked for."""

    def init(address, log_to_driver, logging_level):
        assert (log_to_driver, logging_level) == (False, "error")
        fake.asked.append(address)
        if address == "auto":
            raise ConnectionError("Could not find any running Ray instance.\nAnd more.")

    fake = types.SimpleNamespace(asked=[], is_initialized=lambda: False, init=init)
    monkeypatch.setattr(importlib, "import_module", lambda name: {"ray": fake}[name])
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return fake


@pytest.mark.parametrize("address, asked", [("", None), ("local", "local"), ("ray://head:10001", "ray://head:10001")])
def test_it_joins_what_is_named(ray, address, asked):
    assert ray_cluster.join("cluster.address", address) == (ray, True)
    assert ray.asked == [asked]


def test_who_is_in_a_cluster_stays_there(ray):
    ray.is_initialized = lambda: True
    assert ray_cluster.join("cluster.address", "127.0.0.1:1") == (ray, False)
    assert not ray.asked


def test_an_address_where_nobody_listens_is_refused_at_once(ray, monkeypatch):
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(ConfigError, match=f"cluster.address: '{address}': ConnectionRefusedError"):
        ray_cluster.join("cluster.address", address)
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(ConfigError, match=rf"\$RAY_ADDRESS: '{address}': ConnectionRefusedError"):
        ray_cluster.join("cluster.address", "")
    assert not ray.asked


def test_what_ray_says_is_one_line(ray):
    with pytest.raises(ConfigError) as caught:
        ray_cluster.join("$RAY_ADDRESS", "auto")
    wanted = "$RAY_ADDRESS: 'auto': ConnectionError: Could not find any running Ray instance.; allowed: that of a"
    assert str(caught.value) == f"{wanted} cluster that runs"


def test_without_ray_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(importlib, "import_module", lambda name: (_ for _ in ()).throw(ImportError))
    with pytest.raises(ConfigError, match="ray is not installed; allowed: after scripts/setup --extra ray"):
        ray_cluster.join("cluster.address", "")
