"""Messages between two processes: JSON objects, one a line, over a connection that both keep open."""

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

UNHEARD = 8.0  # seconds that the other host's system may take to acknowledge what it was sent
LONGEST = 1 << 26  # bytes of a message; more is no message of ours


class Wire:
    """One end of a connection. Any thread may send; one reads."""

    def __init__(self, connection: socket.socket, silence: float):
        """`silence`: as for `patience`."""
        self._connection, self._sending = connection, threading.Lock()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # a host that is gone, told from a process that is slow
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(1000 * UNHEARD))
        self.patience(silence)
        self._rest = b""

    @property
    def address(self) -> str:
        """That of this end: a number, of version 4 or 6."""
        return str(self._connection.getsockname()[0])

    def patience(self, silence: float) -> None:
        """Seconds without a word from the other end after which reading raises TimeoutError."""
        self._connection.settimeout(silence)

    def send(self, **message: Any) -> None:
        """Send a message. Raises OSError where the other end is gone."""
        data = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        with self._sending:
            self._connection.sendall(data)

    def receive(self) -> dict[str, Any]:
        """The next message. Raises EOFError at the end, OSError where the connection breaks, TimeoutError after a
        silence, ValueError for what is none."""
        while b"\n" not in self._rest:
            if len(self._rest) > LONGEST:
                raise ValueError(f"more than {LONGEST} bytes without an end")
            more = self._connection.recv(1 << 16)
            if not more:
                raise EOFError
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        message = json.loads(line)
        if not isinstance(message, dict):
            raise ValueError("not a message")
        return message

    def messages(self) -> Iterator[dict[str, Any]]:
        """The messages to come, with no end of their own; raises as `receive`."""
        while True:
            yield self.receive()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
