"""Whether the folder of a run is one that all its processes see."""

import secrets
import time
from pathlib import Path

from scaling_laws.config import ConfigError
from scaling_laws.hosts.team import Team

_PATIENCE = 10.0  # seconds that a network's file system may take to show a file


def check(workdir: Path, team: Team) -> None:
    """Raises ConfigError, in every process, where one does not see in `workdir` what process 0 writes there."""
    sign = workdir / team.meet(f"process_0_{secrets.token_hex(8)}")[0]
    if team.first:
        sign.touch()
    team.meet()
    seen = team.meet(_appears(sign))
    if team.first:
        sign.unlink()
    if not all(seen):
        raise ConfigError(
            f"--workdir: process {seen.index(False)} does not see what process 0 writes in {workdir}; allowed: a "
            "folder on a file system that all hosts share"
        )


def _appears(path: Path) -> bool:
    until = time.monotonic() + _PATIENCE
    while not path.exists():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True
