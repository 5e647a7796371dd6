"""Ctrl-C and SIGTERM as a request: the first one asks the work to end in order, the second one ends it at once."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """A question that the first signal turns to yes; the second one raises KeyboardInterrupt.

    Outside the main thread, which alone may listen to signals, the answer stays no.
    """
    heard: list[int] = []

    def note(number: int, _: object) -> None:
        heard.append(number)
        if len(heard) > 1:
            raise KeyboardInterrupt

    listening = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM) if listening}
    try:
        yield lambda: bool(heard)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
