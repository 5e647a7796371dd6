"""Where the runs of a sweep go: on this machine, to Ray or to SLURM, by `cluster.launcher`."""

from collections.abc import Collection
from pathlib import Path

from scaling_laws import cluster
from scaling_laws.config import ClusterConfig, ExperimentConfig, TaskConfig
from scaling_laws.sweep import machine
from scaling_laws.sweep.choice import Choices
from scaling_laws.sweep.crew import Launcher
from scaling_laws.sweep.execute import Limits
from scaling_laws.sweep.packing import Packing
from scaling_laws.sweep.pool import Pool


def launcher(
    config: ExperimentConfig,
    task: TaskConfig,
    workdir: Path,
    corpus_hash: str,
    n_workers: int,
    settled: Collection[str] = (),
) -> Launcher:
    """What `execute` hands runs to; `n_workers` are of this machine, those of a cluster `sweep.workers`.

    `settled`: run_ids of the journal's rows. Raises ConfigError where the cluster, or the package for it, is not there.
    """
    wanted = config.cluster
    cluster.check(wanted)
    if wanted.launcher == "ray":
        from scaling_laws.sweep.cluster.ray_engine import Engine
        from scaling_laws.sweep.cluster.ray_pool import RayPool

        return RayPool(Engine(wanted), config.sweep.workers, task, workdir, corpus_hash)
    if wanted.launcher == "slurm":
        from scaling_laws.sweep.cluster.slurm import Slurm
        from scaling_laws.sweep.cluster.slurm_pool import SlurmPool

        return SlurmPool(Slurm(wanted), wanted, config.sweep.workers, workdir, corpus_hash, settled)
    return Pool(n_workers, task, workdir, corpus_hash)


def worker_count(config: ExperimentConfig) -> int:
    """How many workers a forecast of the time counts on; of a cluster that may give any number, one."""
    if config.cluster.launcher == "local":
        return machine.worker_count(config.sweep.workers)
    return max(1, config.sweep.workers)


def choices(config: ExperimentConfig) -> Choices:
    """How runs are packed. SLURM measures no packs: a job is too dear for that."""
    own = _accelerators(config.cluster)
    options = () if config.cluster.launcher == "slurm" else Packing.options(config.sweep, own)
    return Choices(Packing.of(config.sweep, own), options)


def limits(config: ExperimentConfig) -> Limits:
    """How long workers may take to stop or be silent, and how often a run is tried."""
    found = Limits(config.sweep.stop_seconds, config.sweep.hang_seconds)
    return found if config.cluster.launcher == "local" else Limits(found.stop, found.hang, config.cluster.attempts)


def _accelerators(wanted: ClusterConfig) -> int | None:
    return None if wanted.launcher == "local" else wanted.accelerators
