"""A run over shards: on devices that share its batches, on hosts that read their own rows, and after signal 9."""

import pytest
import started
from shards_corpus import corpus

from scaling_laws.table import read_curves, read_runs, result_hash

pytestmark = pytest.mark.slow  # each process starts JAX, and they share the cores


def data(folder):
    """Settings of a task whose corpus is made in `folder`, and of a run that is not over at its first checkpoint."""
    return {"task.name": "shards", "task.path": corpus(folder), "train.steps": 200}


def curve_of(workdir):
    return [point["loss"] for point in read_curves(workdir).to_pylist()]


@pytest.fixture(scope="module")
def alone(start, tmp_path_factory):
    """The workdir of a run on one device."""
    workdir = tmp_path_factory.mktemp("alone")
    started.trained(start(workdir, 1))
    return workdir


@pytest.mark.parametrize("processes, devices", [(1, 2), (2, 4), (4, 8)])
def test_devices_and_hosts_that_share_its_batches_reach_the_same_loss(alone, start, tmp_path, processes, devices):
    started.trained(start(tmp_path, processes, train__fsdp_devices=devices))
    row = started.row_of(tmp_path)
    assert (row["n_devices"], row["run_id"]) == (devices, started.row_of(alone)["run_id"])
    assert row["loss"] == pytest.approx(started.row_of(alone)["loss"], rel=1e-5)
    assert curve_of(tmp_path) == pytest.approx(curve_of(alone), rel=1e-5)


def test_killed_it_goes_on_with_the_next_window(alone, start, tmp_path):
    team = start(tmp_path, 1, train__checkpoint_seconds=0.01)
    _, ((code, _, _),) = started.killed_at_a_checkpoint(team, tmp_path, 0)
    assert code == -9
    started.trained(start(tmp_path, 1))
    assert started.row_of(tmp_path)["resumed"] == 1
    for table in (read_runs, read_curves):
        assert result_hash(table(tmp_path)) == result_hash(table(alone))
