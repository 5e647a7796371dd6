"""The flags of a binary whose model several processes train together."""

from collections.abc import Sequence

from absl import flags

from experiments import cli
from scaling_laws.config import ConfigError
from scaling_laws.hosts import join
from scaling_laws.hosts.place import CLUSTERS, Place, find

RAY = "ray"
_COORDINATOR = flags.DEFINE_string(
    "coordinator", None, "HOST:PORT at which process 0 of several waits for the others, for one model on many hosts"
)
_PROCESSES = flags.DEFINE_integer("num_processes", None, "how many processes train the model")
_PROCESS = flags.DEFINE_integer("process_id", None, "which of them this is, from 0")
_CLUSTER = flags.DEFINE_enum(
    "cluster",
    None,
    [*CLUSTERS, RAY],
    "read these three from what SLURM says to the tasks of srun, or a TPU pod to its hosts; ray: start --num_processes "
    "processes on a Ray cluster",
)
_RESOURCES = flags.DEFINE_list("ray_resources", ["CPU=1"], "--cluster=ray: what each process takes, as in CPU=8,GPU=1")
_DEVICES = flags.DEFINE_list("local_devices", [], "accelerators of this host that are this process' own; none: all")
_JOIN = flags.DEFINE_float("join_seconds", join.JOIN, "how long the others may take to come")
FLAGS = [flag.name for flag in (_COORDINATOR, _PROCESSES, _PROCESS, _CLUSTER, _RESOURCES, _DEVICES, _JOIN)]


def place() -> Place | None:
    """The place of this process by the command line; None where it trains alone. Raises ConfigError."""
    devices = cli.whole_numbers("--local_devices", _DEVICES.value) if _DEVICES.value else []
    return find(_COORDINATOR.value, _PROCESSES.value, _PROCESS.value, _CLUSTER.value, devices)


def on_ray() -> bool:
    """Whether this process is to start the others on Ray."""
    return _CLUSTER.value == RAY


def start_on_ray(words: Sequence[str]) -> int:
    """The exit code of the command line `words` as so many processes on Ray. Raises ConfigError."""
    from experiments import on_ray

    count = _PROCESSES.value or 0
    if count < 2 or _COORDINATOR.value or _PROCESS.value is not None:
        raise ConfigError("--cluster: ray; allowed with --num_processes of 2 or more, and no other place")
    return on_ray.run(_without_flags(words), count, _resources())


def _without_flags(words: Sequence[str]) -> list[str]:
    """A command line without the flags of this module, which are given as --name=value or --name value."""
    rest, skip = [], False
    for word in words:
        name, equals, _ = word.partition("=")
        ours = word.startswith("-") and name.lstrip("-") in FLAGS
        if not ours and not skip:
            rest.append(word)
        skip = ours and not equals
    return rest


def _resources() -> dict[str, float]:
    try:
        return {name: float(count) for name, _, count in (one.partition("=") for one in _RESOURCES.value)}
    except ValueError:
        said = ",".join(_RESOURCES.value)
        raise ConfigError(f"--ray_resources: {said!r}; allowed: NAME=NUMBER, separated by commas") from None


def join_seconds() -> float:
    """How long the others may take to come."""
    return _JOIN.value
