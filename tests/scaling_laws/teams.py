"""Teams within this process: their processes are threads, their connections go over loopback."""

import socket
import threading

from scaling_laws.hosts import roll
from scaling_laws.hosts.place import Place
from scaling_laws.hosts.team import Together


def free_port():
    """A port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def team_of(size, silence=60.0):
    """[(team, what it was told is gone)] of every process."""
    coordinator = f"127.0.0.1:{free_port()}"
    wires = together(lambda number: roll.call(Place(coordinator, size, number), 10, silence), size)
    found = []
    for number, mine in enumerate(wires):
        lost = []
        found.append((Together(number, size, mine, lambda *who, lost=lost: lost.append(who)), lost))
    return found


def together(function, size):
    """`function` of each number below `size`, at the same time; the results or what was raised."""
    found = [None] * size

    def one(number):
        try:
            found[number] = function(number)
        except Exception as error:
            found[number] = error

    threads = [threading.Thread(target=one, args=(number,)) for number in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return found
