"""The flags of a binary whose model several processes train together."""

from absl import flags

from experiments import cli
from scaling_laws.hosts import join
from scaling_laws.hosts.place import CLUSTERS, Place, find

_COORDINATOR = flags.DEFINE_string(
    "coordinator", None, "HOST:PORT at which process 0 of several waits for the others, for one model on many hosts"
)
_PROCESSES = flags.DEFINE_integer("num_processes", None, "how many processes train the model")
_PROCESS = flags.DEFINE_integer("process_id", None, "which of them this is, from 0")
_CLUSTER = flags.DEFINE_enum("cluster", None, CLUSTERS, "read these three from what the cluster says to its tasks")
_DEVICES = flags.DEFINE_list("local_devices", [], "accelerators of this host that are this process' own; none: all")
_JOIN = flags.DEFINE_float("join_seconds", join.JOIN, "how long the others may take to come")
FLAGS = [flag.name for flag in (_COORDINATOR, _PROCESSES, _PROCESS, _CLUSTER, _DEVICES, _JOIN)]


def place() -> Place | None:
    """The place of this process by the command line; None where it trains alone. Raises ConfigError."""
    devices = cli.whole_numbers("--local_devices", _DEVICES.value) if _DEVICES.value else []
    return find(_COORDINATOR.value, _PROCESSES.value, _PROCESS.value, _CLUSTER.value, devices)


def join_seconds() -> float:
    """How long the others may take to come."""
    return _JOIN.value
