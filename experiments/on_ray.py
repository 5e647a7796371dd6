"""One model trained by processes that Ray places on the nodes of a cluster, started anew when one of them is lost.

Each process is a Ray task that runs the command line of `experiments.train`; Ray only places them, and hands command
lines and exit codes over.
"""
# pyright: reportMissingImports=false
# (an extra, which need not be installed)

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scaling_laws import ray_cluster
from scaling_laws.config import ConfigError
from scaling_laws.progress import duration

RETRIES = 3
PLACED = 600.0  # seconds that the cluster may take to find room


def run(
    words: Sequence[str], processes: int, resources: Mapping[str, float], say: Callable[[str], None] = print
) -> int:
    """The exit code of `experiments.train` with these words as `processes` tasks, each with its `resources` (Ray's
    names: CPU, GPU, TPU).

    When a task is lost with its node or by a kill, the others leave and all start again, up to RETRIES times, from the
    last checkpoint. Raises ConfigError where there is no Ray, no cluster or no room in it.
    """
    address = os.environ.get(ray_cluster.VARIABLE, "auto")
    ray, _ = ray_cluster.join(f"${ray_cluster.VARIABLE}", address, logs=True)
    from ray.util import placement_group, remove_placement_group

    group = placement_group([dict(resources)] * processes, strategy="SPREAD")
    try:
        for attempt in range(RETRIES + 1):
            if not group.wait(PLACED):
                wanted = ",".join(f"{name}={count:g}" for name, count in resources.items())
                raise ConfigError(
                    f"--num_processes: {processes} of {wanted}; allowed: what the cluster has room for within "
                    f"{duration(PLACED)}"
                )
            codes = _codes(ray, _started(ray, group, list(words), processes, resources))
            lost = [number for number, code in enumerate(codes) if code is None]
            if not lost or attempt == RETRIES:
                return max(code for code in (*codes, 1 if lost else 0) if code is not None)
            say(f"processes {', '.join(map(str, lost))} of {processes} ended: start {attempt + 2} of {RETRIES + 1}")
    finally:
        remove_placement_group(group)
    raise AssertionError("the last attempt returns")


def _started(ray: Any, group: Any, words: list[str], processes: int, resources: Mapping[str, float]) -> list[Any]:
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    others = {name: count for name, count in resources.items() if name not in ("CPU", "GPU")}

    def task(function: Any, number: int) -> Any:
        alone = ray.remote(max_calls=1)  # a process of its own each time: JAX starts once in one
        return alone(function).options(
            max_retries=0,
            num_cpus=resources.get("CPU", 0),
            num_gpus=resources.get("GPU", 0),
            resources=others,
            scheduling_strategy=PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=number),
        )

    coordinator = ray.get(task(_address, 0).remote())
    return [
        task(_process, number).remote(words, coordinator, processes, number, os.getcwd()) for number in range(processes)
    ]


def _codes(ray: Any, tasks: Sequence[Any]) -> list[int | None]:
    """Exit codes, None for what left without one."""
    codes: list[int | None] = []
    for task in tasks:
        try:
            codes.append(ray.get(task))
        except ray.exceptions.RayTaskError:
            raise
        except ray.exceptions.RayError:
            codes.append(None)
    return codes


def _address() -> str:
    """An address of the node that this runs on, with a port that is free now."""
    import ray

    host = ray.util.get_node_ip_address()
    with socket.create_server(("", 0)) as listener:
        return f"{host}:{listener.getsockname()[1]}"


def _process(words: list[str], coordinator: str, processes: int, number: int, folder: str) -> int:
    """One of the processes, in a Ray worker; `folder`: where relative paths begin."""
    if Path(folder).is_dir():
        os.chdir(folder)
    from experiments import cli, train

    place = [f"--coordinator={coordinator}", f"--num_processes={processes}", f"--process_id={number}"]
    return cli.call(train.run, ["train", *words, *place])
