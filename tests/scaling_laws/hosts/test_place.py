"""Places, from flags and from environments as clusters write them."""

import pytest

from scaling_laws.config import ConfigError
from scaling_laws.hosts.place import Place, find, first_host

SLURM = {
    "SLURM_JOB_ID": "1234",
    "SLURM_STEP_ID": "2",
    "SLURM_PROCID": "3",
    "SLURM_STEP_NUM_TASKS": "8",
    "SLURM_STEP_NODELIST": "node[007-009,12],other",
}
TPU = {"TPU_WORKER_HOSTNAMES": "t0,t1,t2,t3", "TPU_WORKER_ID": "2"}
SLICES = {"MEGASCALE_NUM_SLICES": "2", "MEGASCALE_SLICE_ID": "1", "MEGASCALE_COORDINATOR_ADDRESS": "s0t0:8080"}


def test_nothing_given_is_no_place():
    assert find(environment=SLURM | TPU) is None


def test_flags_alone():
    assert find("host:99", 4, 0) == Place("host:99", 4, 0)
    assert Place("[::1]:99", 2, 1, (3,)).address == ("::1", 99)


def test_a_task_of_srun_knows_its_place():
    found = find(cluster="slurm", environment=SLURM)
    assert found is not None
    host, port = found.address
    assert (host, found.processes, found.process) == ("node007", 8, 3)
    assert 20000 <= port < 28000
    assert found.coordinator != find(cluster="slurm", environment=SLURM | {"SLURM_STEP_ID": "3"}).coordinator


def test_a_host_of_a_pod_knows_its_place():
    assert find(cluster="tpu", environment=TPU) == Place("t0:8480", 4, 2)
    assert find(cluster="tpu", environment=TPU | SLICES) == Place("s0t0:8480", 8, 6)


def test_a_flag_goes_before_the_environment():
    assert find("head:99", cluster="slurm", environment=SLURM) == Place("head:99", 8, 3)


def test_one_task_trains_alone():
    alone = {"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"}
    assert find(cluster="slurm", environment=SLURM | alone) is None


@pytest.mark.parametrize(
    "nodes, first",
    [("a1", "a1"), ("a1,b2", "a1"), ("n[003-005,9]", "n003"), ("n[7,8],m", "n7"), ("r[1-2]n[4,6]", "r1n4")],
)
def test_the_first_of_a_list_of_nodes(nodes, first):
    assert first_host(nodes) == first


@pytest.mark.parametrize(
    "given, said",
    [
        ({"processes": 2, "process": 0}, "--coordinator: missing; allowed: --coordinator, --num_processes"),
        ({"coordinator": "host", "processes": 2, "process": 0}, "--coordinator: 'host'; allowed: HOST:PORT"),
        ({"coordinator": "host:0", "processes": 2, "process": 0}, "allowed: HOST:PORT"),
        ({"coordinator": "host:1", "processes": 1, "process": 0}, "--num_processes: 1; allowed: 2 or more"),
        ({"coordinator": "host:1", "processes": 2, "process": 2}, "--process_id: 2; allowed: 0 to 1"),
        ({"devices": [0]}, "--local_devices: allowed where several"),
        ({"cluster": "pbs"}, "--cluster: 'pbs'; allowed: slurm, tpu"),
        ({"cluster": "tpu"}, "allowed inside a host of a TPU pod: TPU_WORKER_HOSTNAMES is not set"),
        (
            {"cluster": "slurm", "environment": {**SLURM, "SLURM_STEP_NUM_TASKS": ""}},
            "allowed inside a task of srun: SLURM_STEP_NUM_TASKS is not set",
        ),
        ({"cluster": "slurm", "environment": {**SLURM, "SLURM_PROCID": "x"}}, "SLURM_PROCID: 'x' in the environment"),
    ],
)
def test_what_makes_no_place_is_one_line(given, said):
    with pytest.raises(ConfigError) as caught:
        find(**({"environment": {}} | given))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
