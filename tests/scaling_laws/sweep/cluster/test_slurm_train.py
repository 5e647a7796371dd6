"""One model that the tasks of one `srun` train together, on a real SLURM of one node."""

import os
import subprocess

import pytest
import two_dozen

from scaling_laws.table import read_curves, read_runs

pytestmark = pytest.mark.slow

SETTINGS = two_dozen.RUN | {"model.width": 16, "model.depth": 1, "train.batch_size": 16, "train.steps": 24}


def trained(workdir, processes, devices):
    """The row of the run, the losses of its curve and what was printed; `devices`: simulated ones of each process."""
    settings = SETTINGS | ({"train.fsdp_devices": processes * devices} if processes > 1 else {})
    words = two_dozen.words("train", workdir, settings)
    if processes > 1:
        words = ["srun", f"--ntasks={processes}", *words, "--cluster=slurm"]
    known = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
    done = subprocess.run(words, env=os.environ | known, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (row,) = read_runs(workdir).to_pylist()
    return row, [point["loss"] for point in read_curves(workdir).to_pylist()], done.stdout


def test_the_tasks_of_srun_train_one_model_to_the_loss_of_one_process(slurm, tmp_path):
    one, alone, _ = trained(tmp_path / "one", processes=1, devices=1)
    two, together, said = trained(tmp_path / "two", processes=2, devices=2)
    assert (one["run_id"], one["n_devices"], two["n_devices"]) == (two["run_id"], 1, 4)
    assert two["loss"] == pytest.approx(one["loss"], rel=1e-5)
    assert together == pytest.approx(alone, rel=1e-5)
    assert said.count(two["run_id"]) == 1  # of the two only the first speaks
