"""A study's command in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = """
from scaling_laws import config

def get_config():
    return config.replace(config.ExperimentConfig(), {settings})
"""


@pytest.fixture
def command(request, tmp_path):
    """`command(*words)` runs the binary `BINARY` of the test's module on its `SETTINGS`, with those words."""
    config, module = tmp_path / "small.py", request.module
    config.write_text(CONFIG.format(settings=module.SETTINGS))
    words = [sys.executable, "-m", f"experiments.{module.BINARY}", f"--config={config}"]
    known = os.environ | {"JAX_PLATFORMS": "cpu", "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def called(*more):
        return subprocess.run([*words, *more], cwd=ROOT, env=known, capture_output=True, text=True, timeout=300)

    return called


@pytest.fixture
def refused(command, tmp_path):
    """`refused(words, said)`: with those words one line that has `said` in it, exit code 2, and no workdir."""

    def check(words, said):
        done = command(f"--workdir={tmp_path / 'runs'}", *words)
        assert done.returncode == 2
        assert said in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        assert not (tmp_path / "runs").exists()

    return check
