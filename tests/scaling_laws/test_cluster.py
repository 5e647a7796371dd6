import pytest

from scaling_laws import cluster
from scaling_laws.cluster import ClusterConfig
from scaling_laws.config import ConfigError, ExperimentConfig, replace, run_part

ASKED = {"": 0, "gpu:a100:4": 4, "gpu:3": 3, "gpu": 1, "gpu:a100": 1, "shard:2": 0}


def test_accelerators_of_a_worker():
    assert {gres: ClusterConfig(gres=gres).accelerators for gres in ASKED} == ASKED
    assert ClusterConfig(gpus=2).accelerators == 2


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"partition": "a\n#SBATCH --x"}, "cluster.partition"),
        ({"account": "a b"}, "cluster.account"),
        ({"gpus": 1, "gres": "gpu:1"}, "cluster.gres"),
        ({"minutes": 1, "warning_seconds": 60}, "cluster.warning_seconds: 60 of a limit of 60"),
    ],
)
def test_what_does_not_go_together_is_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        cluster.check(ClusterConfig(**settings))
    cluster.check(ClusterConfig())


def test_where_runs_go_is_no_part_of_what_they_are():
    settings = {"cluster.launcher": "ray", "cluster.gpus": 4}
    assert run_part(replace(ExperimentConfig(), settings)) == run_part(ExperimentConfig())
