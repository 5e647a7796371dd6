"""From a place to a team: the roll call, JAX's own start over all processes, and the ways to leave."""

import contextlib
import os
import re
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from scaling_laws.command import REQUEUE, is_users
from scaling_laws.hosts import address, roll
from scaling_laws.hosts.aside import aside, drop_empty
from scaling_laws.hosts.place import Place
from scaling_laws.hosts.team import ALONE, FAILED, Team, Together

SILENCE = 60.0  # seconds without a sign of life after which a process that nothing else tells of is gone
BROKEN = 10.0  # seconds that a process whose collective broke waits to hear who is gone
JOIN = 300.0  # seconds that the others may take to come
GRACE = 3.0  # seconds in which an error that all processes meet is said by each of them
ERROR = 1
_COLLECTIVES = re.compile("gloo|nccl|rccl|collective|coordination|heartbeat|peer|distributed", re.IGNORECASE)
_joined: list[Place] = []


@contextlib.contextmanager
def joined(
    place: Place | None, logs: Path, seconds: float = JOIN, say: Callable[[str], None] = print
) -> Iterator[Team]:
    """The team of a process, with JAX started over all its processes; no place, no others.

    Before anything else has made JAX look for devices. What JAX and its libraries print goes into a file of `logs`,
    one a process. When another process is gone, this one says so and ends, with REQUEUE: at once where that was killed,
    within ten seconds where its host is lost, after SILENCE where it hangs. The same command everywhere goes on from
    the last checkpoint. Raises RollError.
    """
    if place is None:
        yield ALONE
        return
    wires = roll.call(place, seconds, SILENCE, say)
    log = logs / f"process_{place.process}.log"
    with aside(log):
        team = Together(place.process, place.processes, wires, lambda *who: _leave(place, log, *who))
        _joined.append(place)
        try:
            _start(place, team, address.of(team, wires))
            yield team
            _stop()
            team.close()
        except BaseException as error:
            if not is_users(error) and _COLLECTIVES.search(str(error)):
                time.sleep(BROKEN)  # a collective that broke: the team hears who is gone, and leaves from there
            team.fail()
            raise


def finish(work: Callable[[], int]) -> None:
    """End this process with the exit code that `work` returns.

    One that has been of a team ends without Python's exit handlers, in which JAX would wait for the others.
    """
    try:
        code = work()
    except Exception:
        if not _joined:
            raise
        traceback.print_exc()
        code = ERROR
    if not _joined:
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _start(place: Place, team: Team, own: str) -> None:
    """`jax.distributed` over all processes, at an address that process 0 chooses beside the coordinator's; `own`: where
    the others reach this one."""
    import jax

    service = team.meet(f"{place.address[0]}:{_free_port()}" if team.first else "")[0]
    address.tell_gloo(own)
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.config.update("jax_enable_preemption_service", False)  # it would take SIGTERM from us
    jax.distributed.initialize(
        service,
        place.processes,
        place.process,
        local_device_ids=list(place.devices) or None,
        cluster_detection_method="deactivate",
        heartbeat_timeout_seconds=round(2 * SILENCE),  # ours speak first
        shutdown_timeout_seconds=round(SILENCE),
    )
    jax.device_count()  # all meet there


def _stop() -> None:
    import jax

    jax.distributed.shutdown()


def _free_port() -> int:
    with socket.create_server(("", 0)) as listener:
        return listener.getsockname()[1]


def _leave(place: Place, log: Path, process: int, why: str) -> None:
    """Say who is gone, and end."""
    if why == FAILED:
        time.sleep(GRACE)
    rest = "see what it said" if why == FAILED else "the same command on all of them goes on from the last checkpoint"
    line = f"error: process {process} of {place.processes} is gone: {why}; {rest}\n"
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(line)
        sys.stderr.flush()
    drop_empty(log)
    os._exit(ERROR if why == FAILED else REQUEUE)
