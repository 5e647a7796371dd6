"""A sweep on a real Ray cluster of three nodes on this machine, of which a worker and a node are killed."""

import threading

import pytest
import two_dozen

from scaling_laws import table

MEMORY = 80 * 2**20  # of each node's object store, which nothing here needs


@pytest.fixture(scope="module", autouse=True)
def ray():
    """Ray itself; it is no part of the default environment, and without it no test of this file runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_PLATFORMS", "cpu")
        patch.setenv("RAY_raylet_start_wait_time_s", "120")  # a machine that does other work as well
        yield pytest.importorskip("ray", reason="ray is not installed: scripts/setup --extra ray")


@pytest.fixture
def nodes(ray):
    """A head without cores, and three nodes of one core."""
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": MEMORY}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        made = [cluster.add_node(num_cpus=1, object_store_memory=MEMORY) for _ in range(3)]
        ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
        yield cluster, made
    finally:
        ray.shutdown()
        cluster.shutdown()


def actors():
    """The processes of actors."""
    return two_dozen.processes("ray::Host")


def test_a_worker_and_a_node_killed_midway_give_the_same_table(undisturbed, nodes, tmp_path):
    cluster, made = nodes

    def kill_a_worker():
        assert len(actors()) == 3
        two_dozen.kill(actors()[0])

    def kill_a_node():
        threading.Thread(target=cluster.remove_node, args=(made[0],), kwargs={"allow_graceful": False}).start()

    summary, lines = two_dozen.sweep(tmp_path, at=[(3, kill_a_worker), (9, kill_a_node)], cluster__launcher="ray")
    assert summary.count("finished") == 24
    assert two_dozen.hashes(tmp_path) == undisturbed
    assert any("the run is tried once more" in line for line in lines)
    assert {row["worker"] for row in table.read_runs(tmp_path).to_pylist()} == {"ray-0", "ray-1", "ray-2"}


def test_a_run_that_kills_its_worker_each_time_fails_with_the_reason(nodes, tmp_path, monkeypatch):
    """The worker of one run is killed as soon as it is at work, as often as it is tried."""
    from scaling_laws.sweep.cluster.ray_pool import RayPool

    assign, victims = RayPool.assign, []

    def assigned(self, each, pack, packing, awaited=()):
        assign(self, each, pack, packing, awaited)
        if pack[0].shape == (16, 1):
            victims.append(pack[0].run_id)
            self._engine.end(each.actor)

    monkeypatch.setattr(RayPool, "assign", assigned)
    changes = {"sweep__budgets": (1e9,), "sweep__seeds": (0,), "cluster__launcher": "ray", "cluster__attempts": 2}
    summary, _ = two_dozen.sweep(tmp_path, **changes)
    rows = {row["width"]: row for row in table.read_runs(tmp_path).to_pylist()}
    assert (rows[8]["status"], rows[16]["status"]) == ("finished", "failed")
    assert rows[16]["reason"].startswith("worker was lost")
    assert rows[16]["reason"].endswith(", 2 times")
    assert len(victims) == 2
    assert summary.count("failed") == 1
