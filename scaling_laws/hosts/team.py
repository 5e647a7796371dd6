"""Processes that train one model together: what they tell each other, and who notices that one is gone.

JAX has a service of its own for this. It ends the survivors with a page of text and an abort, after a minute and a
half unless told otherwise, and lets nobody else say it. So the connections of the roll call stay open: the system
closes that of a process that is killed at that moment, to one whose host is lost nothing can be sent, and one that
hangs falls silent; each is noticed here and said in one line.
"""

import contextlib
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

from scaling_laws.hosts.wire import Wire

BEAT = 1.0  # seconds between two signs of life
CLOSED, FAILED = "its connection closed", "it ended with an error"
_GOODBYE = 2.0  # seconds that the end of a team may take

Lost = Callable[[int, str], None]  # the number of a process that is gone, and why


class Gone(RuntimeError):
    """A process of the team is gone."""


class Disagreed(ValueError):
    """Processes that were to be given the same were not, in one line."""


class Team:
    """A process by itself."""

    process, processes = 0, 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes tables and logs."""
        return self.process == 0

    @property
    def several(self) -> bool:
        """Whether there are others."""
        return self.processes > 1

    def meet(self, value: Any = None) -> list[Any]:
        """What every process brings (what JSON can hold), in their order, once all are there; each calls it as often
        as the others."""
        return [value]

    def same(self, what: str, value: Any) -> None:
        """Raises Disagreed, naming a process, unless all bring the same."""
        values = self.meet(value)
        for number, other in enumerate(values):
            if other != values[0]:
                raise Disagreed(f"{what}: {other} of process {number}; allowed: {values[0]}, as process 0 has it")


ALONE = Team()


class Together(Team):
    """One of several processes. Process 0 has a connection to each of the others, these to it."""

    def __init__(self, process: int, processes: int, wires: Mapping[int, Wire], lost: Lost):
        """`lost` is called once, in a thread of its own, when a process is gone that has not said goodbye."""
        self.process, self.processes = process, processes
        self._wires, self._lost = dict(wires), lost
        self._there = threading.Condition()
        self._brought: dict[int, dict[int, Any]] = {}  # at process 0: meeting -> process -> value
        self._met: dict[int, list[Any]] = {}
        self._meetings, self._missing, self._gone, self._ended = 0, False, "", threading.Event()
        self._listeners = [threading.Thread(target=self._listen, args=one, daemon=True) for one in wires.items()]
        for thread in (*self._listeners, threading.Thread(target=self._beat, daemon=True)):
            thread.start()

    def meet(self, value: Any = None) -> list[Any]:
        """As of one process. Raises Gone where somebody is, if the process lives that long."""
        number, self._meetings = self._meetings, self._meetings + 1
        if self.first:
            self._bring(0, number, json.loads(json.dumps(value)))
        else:
            with contextlib.suppress(OSError):  # the listener says why
                self._wires[0].send(meet=number, value=value)
        with self._there:
            self._there.wait_for(lambda: number in self._met or self._gone)
            if number not in self._met:
                raise Gone(self._gone)
            return self._met.pop(number)

    def close(self) -> None:
        """End the team, once all have come here."""
        self.meet()
        self._ended.set()
        self._tell(bye="")
        for thread in self._listeners:
            thread.join(_GOODBYE)

    def fail(self) -> None:
        """Tell the others that this process ends with an error of its own."""
        self._ended.set()
        self._tell(bye=FAILED)

    def _tell(self, besides: int = -1, **message: Any) -> None:
        for other, wire in self._wires.items():
            if other != besides:
                with contextlib.suppress(OSError):
                    wire.send(**message)

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            self._tell(beat=1)

    def _listen(self, other: int, wire: Wire) -> None:
        try:
            for message in wire.messages():
                if "bye" in message:
                    return self._miss(other, message["bye"]) if message["bye"] else None
                if "lost" in message:
                    return self._miss(message["lost"], message["why"])
                if "meet" in message:
                    self._bring(other, message["meet"], message["value"])
                elif "met" in message:
                    self._hear(message["met"], message["values"])
        except TimeoutError:
            self._miss(other, "nothing is heard of it")
        except (EOFError, OSError, ValueError):
            self._miss(other, CLOSED)

    def _bring(self, process: int, number: int, value: Any) -> None:
        with self._there:
            brought = self._brought.setdefault(number, {})
            brought[process] = value
            if len(brought) < self.processes:
                return
            values = [each for _, each in sorted(self._brought.pop(number).items())]
        self._tell(met=number, values=values)
        self._hear(number, values)

    def _hear(self, number: int, values: list[Any]) -> None:
        with self._there:
            self._met[number] = values
            self._there.notify_all()

    def _miss(self, process: int, why: str) -> None:
        with self._there:
            if self._missing or self._ended.is_set():
                return
            self._missing = True
        self._tell(besides=process, lost=process, why=why)
        self._lost(process, why)
        with self._there:  # last: whoever waits in `meet` goes on with an error, of which this process may end
            self._gone = f"process {process} of {self.processes} is gone: {why}"
            self._there.notify_all()
