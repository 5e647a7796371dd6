"""The roll call: process 0 waits until all others have come, and everybody keeps the connection that it came by."""

import errno
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

from scaling_laws.hosts import address
from scaling_laws.hosts.place import Place
from scaling_laws.hosts.wire import Wire

SAY_EVERY = 5.0  # seconds between two lines about who is missing
PATIENCE = 15.0  # seconds that process 0 of a run before may take to leave the port
_AGAIN = 0.2  # seconds


class RollError(ValueError):
    """Processes that did not find each other, in one line."""


def call(place: Place, seconds: float, silence: float, say: Callable[[str], None] = print) -> dict[int, Wire]:
    """The connections of this process, by the number at the other end: of process 0 to all others, of these to it.

    Waits `seconds` at most; on the connections a `silence` of so many seconds then raises. Raises RollError where some
    do not come, two have one number, or they do not agree how many they are.
    """
    wires = _called(place, seconds, say) if place.process == 0 else {0: _answered(place, seconds)}
    for wire in wires.values():
        wire.patience(silence)
    return wires


def _called(place: Place, seconds: float, say: Callable[[str], None]) -> dict[int, Wire]:
    wires: dict[int, Wire] = {}
    until, said = time.monotonic() + seconds, time.monotonic()
    with _listener(place) as listener:
        listener.settimeout(1.0)
        while len(wires) < place.processes - 1:
            missing = [number for number in range(1, place.processes) if number not in wires]
            if time.monotonic() > until:
                raise RollError(f"{_processes(missing)} of {place.processes} did not come within {seconds:g} s")
            if time.monotonic() - said > SAY_EVERY:
                said = time.monotonic()
                say(f"waiting at {place.coordinator} for {_processes(missing)} of {place.processes}")
            try:
                _take(Wire(listener.accept()[0], PATIENCE), wires, place)
            except TimeoutError:
                continue
    for wire in wires.values():
        wire.send(go=True)
    return wires


def _take(wire: Wire, wires: dict[int, Wire], place: Place) -> None:
    """Add who has come to `wires`; send away who does not belong here."""
    try:
        hello = wire.receive()
        if fault := _fault(hello, wires, place):
            wire.send(refused=fault)
            wire.close()
        else:
            wires[hello["process"]] = wire
    except (EOFError, OSError, ValueError):  # something else that found the port
        wire.close()


def _fault(hello: Mapping[str, Any], wires: Mapping[int, Wire], place: Place) -> str:
    number, count = hello.get("process"), hello.get("processes")
    if count != place.processes:
        return f"--num_processes: {count}; allowed: {place.processes}, as process 0 has it"
    if not isinstance(number, int) or not 0 < number < place.processes:
        return f"--process_id: {number}; allowed: 1 to {place.processes - 1}, beside process 0"
    return f"--process_id: {number} is there already; allowed: each number once" if number in wires else ""


def _answered(place: Place, seconds: float) -> Wire:
    until = time.monotonic() + seconds
    while True:
        try:
            wire = Wire(socket.create_connection(place.address, timeout=SAY_EVERY), seconds)
            wire.send(process=place.process, processes=place.processes)
            answer = wire.receive()
        except (EOFError, OSError, ValueError) as error:
            if time.monotonic() > until:
                why = str(error) or "it was closed"
                raise RollError(f"no process 0 at {place.coordinator} within {seconds:g} s ({why})") from None
            time.sleep(_AGAIN)
            continue
        if "go" in answer:
            return wire
        raise RollError(str(answer.get("refused", "sent away by process 0")))


def _listener(place: Place) -> socket.socket:
    """A socket at the coordinator's address; where that is no address of this host itself, at all that it has."""
    until = time.monotonic() + PATIENCE
    host, port = address.to_listen(place.address[0]), place.address[1]
    while True:
        try:
            return socket.create_server((host, port))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL and host:
                host = ""
            elif error.errno != errno.EADDRINUSE or time.monotonic() > until:
                raise RollError(f"--coordinator: {place.coordinator}: {error.strerror}") from None
            else:
                time.sleep(_AGAIN)


def _processes(numbers: list[int]) -> str:
    return f"process{'es' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
