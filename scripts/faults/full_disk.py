"""A disk that fills up at every write of a small sweep in turn, and the same command once there is space again.

The work directory (or, in a second series, the cache) is a file system in memory, a page larger from trial to trial,
until the sweep fits. A sweep that does not fit must end with one line and exit code 2, one whose cache does not fit
must not mind; with space again the same command must finish with the right table. Mounts are made in a name space of
its own: Linux, and as root or where users may have such.
"""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from scaling_laws.config import ConfigError
from scripts.faults.victim import Victim, finished_sweep, hashes

PAGE = 4096
SMALL = {"sweep__budgets": "2e8,4e8", "sweep__widths": "8", "sweep__seeds": "0,1", "train__curve_points": "3"}
CACHE_STEP, CACHES = 32 * PAGE, 12  # its files are larger
PATIENCE = 120.0  # seconds for one start


@dataclasses.dataclass(frozen=True)
class Trial:
    """One size of the disk: how the sweep ended on it, whether it fitted, and what is wrong."""

    where: str
    size: int
    code: int
    fault: str

    def line(self) -> str:
        """For people."""
        ended = f"{self.where} of {self.size // 1024} KiB: exit code {self.code}"
        return f"{ended}, {self.fault}" if self.fault else ended


def full_disk(place: Path, tell: Callable[[int], None], most: int = 0) -> list[Trial]:
    """All trials, `most` of each series (0: until the sweep fits). Raises ConfigError where nothing can be mounted."""
    apart = ["unshare", "--mount", *(["--map-root-user"] if os.geteuid() else [])]
    words = [*apart, sys.executable, "-m", "scripts.faults.full_disk", str(place), str(most)]
    trials: list[Trial] = []
    try:
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            assert child.stderr is not None
            for line in child.stdout:
                trials.append(Trial(**json.loads(line)))
                tell(len(trials))
            said = child.stderr.read()
    except FileNotFoundError as error:
        raise ConfigError("scripts/chaos: no program unshare; allowed: Linux with util-linux") from error
    if child.returncode:
        raise ConfigError(f"scripts/chaos: no disk of its own: {said.strip().splitlines()[-1] if said else '?'}")
    return trials


def lines(trials: list[Trial]) -> list[str]:
    """The summary, and what is wrong."""
    counted = []
    for where in dict.fromkeys(trial.where for trial in trials):
        sizes = [trial.size // 1024 for trial in trials if trial.where == where]
        counted.append(f"{where} {len(sizes)} ({sizes[0]} to {sizes[-1]} KiB)")
    bad = [trial for trial in trials if trial.fault]
    return [f"{len(trials)} disks: {', '.join(counted)}", f"at fault {len(bad)}", *(trial.line() for trial in bad[:5])]


def _main(place: Path, most: int) -> None:
    expected = hashes(finished_sweep(place, **SMALL))
    for where, step in (("workdir", PAGE), ("cache", CACHE_STEP)):
        size = 0
        while not most or size < most * step:
            size += step
            trial = _trial(place, where, size, expected)
            print(json.dumps(dataclasses.asdict(trial)), flush=True)
            if trial.code == 0 and where == "workdir":
                break
            if where == "cache" and size >= CACHES * CACHE_STEP:
                break


def _trial(place: Path, where: str, size: int, expected: dict[str, str]) -> Trial:
    disk, other = place / f"disk_{where}", place / f"other_{where}_{size}"
    disk.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(disk)], check=True)
    workdir, cache = (disk, place) if where == "workdir" else (other, disk)
    try:
        code, said = _start(workdir, cache)
        fault = _fault(where, code, said)
        subprocess.run(["mount", "-o", "remount,size=1g", str(disk)], check=True)
        again, said = _start(workdir, cache)
        if again:
            fault = fault or f"with space again exit code {again}: {said[-300:]}"
        elif hashes(workdir) != expected:
            fault = fault or "another table in the end"
        return Trial(where, size, code, fault)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def _start(workdir: Path, cache: Path) -> tuple[int, str]:
    """(exit code, what was said) of one start."""
    log = workdir.with_suffix(".log")
    log.unlink(missing_ok=True)
    victim = Victim(workdir, cache, 1, **SMALL)
    try:
        code = victim.process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        code = -1
    finally:
        victim.end()
    return code, log.read_text()


def _fault(where: str, code: int, said: str) -> str:
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    if "Traceback" in said:
        return f"a traceback: {said[said.index('Traceback') :][-300:]}"
    if code == 0 or (where == "workdir" and code == 2 and len(errors) == 1):
        return ""
    return f"not one line: {said[-300:]}"


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]))
