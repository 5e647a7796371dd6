"""Which of several processes this one is, and where they meet: from flags, or from what a cluster leaves in the
environment. No JAX here.
"""

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence

from scaling_laws.config import ConfigError

CLUSTERS = ("slurm", "tpu")
TPU_PORT = 8480
SLURM_PORTS = range(20000, 28000)  # below what systems hand out by themselves


@dataclasses.dataclass(frozen=True)
class Place:
    """Process number `process` of `processes`; number 0 waits for the others at `coordinator`, HOST:PORT.

    `devices`: which of the accelerators that it sees are its own, by number; none: all.
    """

    coordinator: str
    processes: int
    process: int
    devices: tuple[int, ...] = ()

    def __post_init__(self):
        """Raises ConfigError where this is no place."""
        host, _, port = self.coordinator.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
            raise ConfigError(f"--coordinator: {self.coordinator!r}; allowed: HOST:PORT of process 0")
        if self.processes < 2:
            raise ConfigError(f"--num_processes: {self.processes}; allowed: 2 or more, or no --coordinator at all")
        if not 0 <= self.process < self.processes:
            raise ConfigError(f"--process_id: {self.process}; allowed: 0 to {self.processes - 1}")

    @property
    def address(self) -> tuple[str, int]:
        """Host and port where the processes meet."""
        host, _, port = self.coordinator.rpartition(":")
        return host.strip("[]"), int(port)


def find(
    coordinator: str | None = None,
    processes: int | None = None,
    process: int | None = None,
    cluster: str | None = None,
    devices: Sequence[int] = (),
    environment: Mapping[str, str] | None = None,
) -> Place | None:
    """The place of this process; None where it is to train alone, as it is when nothing is given.

    What is given by itself goes before what the environment of the `cluster` says. Raises ConfigError, in one line,
    where the two together do not make a place.
    """
    found: dict[str, str | int] = {}
    if cluster:
        if cluster not in CLUSTERS:
            raise ConfigError(f"--cluster: {cluster!r}; allowed: {', '.join(CLUSTERS)}")
        read = {"slurm": of_slurm, "tpu": of_tpu}[cluster]
        found = read(os.environ if environment is None else environment)
    given = {"coordinator": coordinator, "processes": processes, "process": process}
    found |= {name: value for name, value in given.items() if value is not None}
    if not found:
        if devices:
            raise ConfigError("--local_devices: allowed where several processes train one model")
        return None
    flags = {"coordinator": "--coordinator", "processes": "--num_processes", "process": "--process_id"}
    for name, flag in flags.items():
        if name not in found:
            raise ConfigError(f"{flag}: missing; allowed: {', '.join(flags.values())} together, or --cluster")
    if cluster and found["processes"] == 1:
        return None
    return Place(str(found["coordinator"]), int(found["processes"]), int(found["process"]), tuple(devices))


def of_slurm(environment: Mapping[str, str]) -> dict[str, str | int]:
    """What `srun` says to each of its tasks: as many processes as tasks, the first of them on the first node.

    Raises ConfigError where this is no task of `srun`: a batch script by itself is one process, however many tasks its
    job has.
    """
    names = ("SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_STEP_NODELIST")
    values = _all(environment, names, "slurm", "a task of srun")
    job, step = _whole(environment, names[0]), _whole(environment, names[1])
    port = SLURM_PORTS[(7 * job + step) % len(SLURM_PORTS)]
    return {
        "coordinator": f"{first_host(values[4])}:{port}",
        "processes": _whole(environment, names[3]),
        "process": _whole(environment, names[2]),
    }


def of_tpu(environment: Mapping[str, str]) -> dict[str, str | int]:
    """What a pod of TPUs says to each of its hosts: their names and which one this is; of several slices also which."""
    names = ("TPU_WORKER_HOSTNAMES", "TPU_WORKER_ID")
    values = _all(environment, names, "tpu", "a host of a TPU pod")
    hosts = [name.strip() for name in values[0].split(",") if name.strip()]
    worker, count, slice_number, first = _whole(environment, names[1]), len(hosts), 0, hosts[0]
    if "MEGASCALE_NUM_SLICES" in environment:
        values = _all(environment, ("MEGASCALE_COORDINATOR_ADDRESS", "MEGASCALE_SLICE_ID"), "tpu", "one of its slices")
        slice_number, first = _whole(environment, "MEGASCALE_SLICE_ID"), values[0].partition(":")[0]
        count *= _whole(environment, "MEGASCALE_NUM_SLICES")
    return {
        "coordinator": f"{first}:{TPU_PORT}",
        "processes": count,
        "process": slice_number * len(hosts) + worker,
    }


def first_host(nodes: str) -> str:
    """The first host of a list as SLURM writes it: `a1,b2`, `node[003-005,9]`, `rack[1-2]n[4,6]`."""
    first = re.split(r",(?![^\[]*\])", nodes)[0]
    return re.sub(r"\[([^\],-]*)[^\]]*\]", r"\1", first)


def _all(environment: Mapping[str, str], names: Sequence[str], cluster: str, what: str) -> list[str]:
    for name in names:
        if not environment.get(name):
            raise ConfigError(f"--cluster: {cluster}; allowed inside {what}: {name} is not set here")
    return [environment[name] for name in names]


def _whole(environment: Mapping[str, str], name: str) -> int:
    if not environment[name].isdecimal():
        raise ConfigError(f"{name}: {environment[name]!r} in the environment; allowed: a whole number")
    return int(environment[name])
