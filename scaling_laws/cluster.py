"""Settings of a cluster: what starts the runs of a sweep, and what each of its workers is given. No JAX here."""

import dataclasses

from scaling_laws.fields import ConfigError, setting

LAUNCHERS = ("local", "ray", "slurm")
_NAMES = ("partition", "account", "qos", "constraint", "gres")


@dataclasses.dataclass(frozen=True)
class ClusterConfig:
    """Where the runs of a sweep go; it enters no run's identity."""

    launcher: str = setting(
        "local",
        "what starts the runs: local (processes on this machine), ray (a Ray cluster), slurm (job arrays)",
        choices=LAUNCHERS,
        identity=False,
    )
    cpus: int = setting(1, "cores of a worker", low=1, high=4096, identity=False)
    gpus: int = setting(0, "accelerators of a worker", low=0, high=64, identity=False)
    memory_gb: float = setting(0.0, "memory of a worker; 0: what the cluster gives", low=0, high=1e5, identity=False)
    attempts: int = setting(
        3, "how often a run is begun whose worker, job or node dies under it", low=1, high=1000, identity=False
    )
    address: str = setting(
        "", "ray: of the cluster; empty: $RAY_ADDRESS, the one that runs here, or else one of this machine alone",
        identity=False,
    )  # fmt: skip
    partition: str = setting("", "slurm: partition", identity=False)
    account: str = setting("", "slurm: account that pays", identity=False)
    qos: str = setting("", "slurm: quality of service", identity=False)
    constraint: str = setting("", "slurm: features that a node must have", identity=False)
    gres: str = setting("", "slurm: generic resources of a job, as gpu:a100:1, in place of gpus", identity=False)
    minutes: int = setting(
        60, "slurm: time limit of a job; what is longer goes on in the same job, queued again", low=1, high=525600,
        identity=False,
    )  # fmt: skip
    warning_seconds: int = setting(
        90, "slurm: how long before its limit a job writes its checkpoints", low=1, high=3600, identity=False
    )
    job_seconds: float = setting(
        900.0, "slurm: runs are put into one job until they are expected to take so long", low=0, high=1e7,
        identity=False,
    )  # fmt: skip
    poll_seconds: float = setting(
        10.0, "slurm: how often jobs are asked for their state, and their files for news", low=0.1, high=3600,
        identity=False,
    )  # fmt: skip

    @property
    def accelerators(self) -> int:
        """How many a worker has, by `gpus` or by a `gres` that asks for GPUs."""
        kind, *words = self.gres.split(":")
        asked = words[-1] if words and words[-1].isdigit() else "1"
        return self.gpus or (int(asked) if kind == "gpu" else 0)


def check(cluster: ClusterConfig) -> None:
    """Raises ConfigError where settings do not go together, or a name would not be one word of a job's file."""
    for name in _NAMES:
        value = getattr(cluster, name)
        if not all(letter.isprintable() and letter not in " '\"\\" for letter in value):
            raise ConfigError(f"cluster.{name}: {value!r}; allowed: one word without quotes")
    if cluster.gpus and cluster.gres.startswith("gpu"):
        raise ConfigError(f"cluster.gres: {cluster.gres!r} beside cluster.gpus={cluster.gpus}; allowed: one of them")
    if cluster.warning_seconds >= 60 * cluster.minutes:
        raise ConfigError(
            f"cluster.warning_seconds: {cluster.warning_seconds} of a limit of {60 * cluster.minutes}; allowed: less"
        )
