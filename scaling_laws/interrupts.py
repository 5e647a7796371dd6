"""Ctrl-C and SIGTERM as a request: the first one asks the work to end in order, the second one ends it at once."""

import contextlib
import signal
import threading
from collections.abc import Iterator


class Asked:
    """The question whether a signal has asked for an end."""

    def __init__(self):
        self.heard: list[int] = []

    def __call__(self) -> bool:
        """The answer."""
        return bool(self.heard)

    @property
    def terminated(self) -> bool:
        """Whether it was SIGTERM: a machine that wants to be rid of the work, not a user who has seen enough."""
        return signal.SIGTERM in self.heard


@contextlib.contextmanager
def interruptible() -> Iterator[Asked]:
    """A question that the first signal turns to yes; the second one raises KeyboardInterrupt.

    Outside the main thread, which alone may listen to signals, the answer stays no.
    """
    asked = Asked()

    def note(number: int, _: object) -> None:
        asked.heard.append(number)
        if len(asked.heard) > 1:
            raise KeyboardInterrupt

    listening = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM) if listening}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
