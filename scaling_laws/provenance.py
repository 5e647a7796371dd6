"""Where and with what a run was made: facts that stand beside a result and never enter its identity."""

import datetime
import functools
import platform
import subprocess
from pathlib import Path


@functools.cache
def source_revision() -> str:
    """Commit of the checkout that this package runs from, `+` appended when it has changes; empty outside git."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return ""
    describe = ["git", "-C", str(root), "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
    try:
        return subprocess.run(describe, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def now() -> str:
    """The time in UTC, ISO 8601, whole seconds."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


@functools.cache
def environment() -> dict[str, object]:
    """Columns device, backend, n_devices, jax_version, python_version, source_revision of the runs table."""
    import jax

    device = jax.devices()[0]
    return {
        "device": device.device_kind,
        "backend": device.platform,
        "n_devices": jax.device_count(),
        "jax_version": jax.__version__,
        "python_version": platform.python_version(),
        "source_revision": source_revision(),
    }
