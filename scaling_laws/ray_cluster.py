"""The way into a Ray cluster, for sweeps and for single models on it. Ray is an extra, imported when it is wanted."""

import importlib
import os
import socket
from typing import Any

from scaling_laws.fields import ConfigError

ANSWER = 10.0  # seconds that the head of a cluster may take to answer
VARIABLE = "RAY_ADDRESS"


def join(setting: str, address: str, logs: bool = False) -> tuple[Any, bool]:
    """Ray, connected to the cluster at `address` (HOST:PORT, or one of Ray's words), and whether that was done here.

    Empty: $RAY_ADDRESS, the cluster that runs on this machine, or one that is started for it. With `logs`, what its
    processes print is printed here. Raises ConfigError where Ray is not installed, or there is no such cluster, naming
    the `setting` that the address comes from.
    """
    try:
        ray = importlib.import_module("ray")
    except ImportError:
        raise ConfigError("ray is not installed; allowed: after scripts/setup --extra ray") from None
    if ray.is_initialized():
        return ray, False
    if not address:
        setting, address = f"${VARIABLE}", os.environ.get(VARIABLE, "")
    try:
        _reach(address)
        ray.init(address=address or None, log_to_driver=logs, logging_level="error")
    except (OSError, OverflowError, ValueError, RuntimeError) as error:
        said = " ".join([f"{type(error).__name__}:", *str(error).splitlines()[:1]])
        raise ConfigError(f"{setting}: {address!r}: {said}; allowed: that of a cluster that runs") from None
    return ray, True


def _reach(address: str) -> None:
    """Raises OSError where nobody listens at HOST:PORT, for which Ray itself would wait for ever."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=ANSWER).close()
