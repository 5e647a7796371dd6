"""The flags of several processes, and processes on Ray where it is there."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from absl import flags
from absl.testing import flagsaver

from experiments import cli, processes, train
from scaling_laws.config import ConfigError
from scaling_laws.hosts.place import Place
from scaling_laws.table import read_runs

ON_RAY = """
import sys
from experiments import on_ray
sys.exit(on_ray.run(sys.argv[1:], 2, {"CPU": 1}))
"""


@pytest.fixture(autouse=True)
def parsed():
    """As after a command line without flags."""
    flags.FLAGS.mark_as_parsed()


def test_no_flags_are_no_place():
    assert processes.place() is None
    assert not processes.on_ray()


@flagsaver.flagsaver(coordinator="host:1", num_processes=4, process_id=3, local_devices=["1", "0"])
def test_flags_make_a_place():
    assert processes.place() == Place("host:1", 4, 3, (0, 1))


@flagsaver.flagsaver(coordinator="host:1", num_processes=2)
def test_a_place_that_is_not_whole_is_one_line(capsys, tmp_path):
    assert cli.call(train.run, ["train", f"--workdir={tmp_path / 'runs'}"]) == 2
    assert capsys.readouterr().err.startswith("error: --process_id: missing; allowed: --coordinator, --num_processes")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "words, left",
    [
        (["--workdir=a", "--cluster=ray", "--num_processes", "2", "--config.x=1"], ["--workdir=a", "--config.x=1"]),
        (["--num_processes=2", "--workdir", "a"], ["--workdir", "a"]),
    ],
)
def test_the_words_of_the_others_are_those_without_the_place(words, left):
    assert processes._without_flags(words) == left


@pytest.mark.parametrize("given", [{"num_processes": 1}, {"num_processes": 2, "process_id": 0}, {}])
def test_ray_wants_a_number_and_no_place(given):
    with flagsaver.flagsaver(cluster="ray", **given), pytest.raises(ConfigError, match="allowed with --num_processes"):
        processes.start_on_ray([])


@flagsaver.flagsaver(ray_resources=["CPU=many"])
def test_resources_that_are_none_are_named():
    with pytest.raises(ConfigError, match="--ray_resources: 'CPU=many'; allowed: NAME=NUMBER"):
        processes._resources()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The address of a Ray cluster of two nodes with one core each."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: scripts/setup --extra ray")
    from ray.cluster_utils import Cluster

    known = {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")),
        "PYTHONPATH": os.getcwd(),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in known.items():
            patch.setenv(name, value)
        nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        nodes.add_node(num_cpus=1)
        patch.setenv("RAY_ADDRESS", nodes.address)
        yield nodes
        nodes.shutdown()
        assert not ray.is_initialized()


def test_processes_on_ray_go_on_when_one_is_killed(cluster, tmp_path):
    settings = {
        "model.width": 16,
        "model.depth": 1,
        "model.head_dim": 8,
        "task.context": 16,
        "train.batch_size": 16,
        "train.steps": 60,
        "train.eval_tokens": 1024,
        "train.curve_eval_tokens": 256,
        "train.steps_per_dispatch": 2,
        "train.fsdp_devices": 4,
        "train.checkpoint_seconds": 0.2,
    }
    words = [f"--workdir={tmp_path}", *(f"--config.{path}={value}" for path, value in settings.items())]
    done = threading.Thread(target=_kill_one_at_a_checkpoint, args=(tmp_path,), daemon=True)
    done.start()
    found = subprocess.run([sys.executable, "-c", ON_RAY, *words], capture_output=True, text=True, timeout=500)
    assert found.returncode == 0, found.stderr
    assert "start 2 of 4" in found.stdout
    (row,) = read_runs(tmp_path).to_pylist()
    assert (row["status"], row["n_devices"], row["resumed"]) == ("finished", 4, 1)


def _kill_one_at_a_checkpoint(workdir):
    """Kill the process that holds the journal."""
    lock = workdir / "journal.lock"
    while not list(workdir.glob("checkpoints/*/step_*")):
        time.sleep(0.05)
    (number,) = (int(word) for word in lock.read_text().split() if word.isdecimal())
    os.kill(number, signal.SIGKILL)
