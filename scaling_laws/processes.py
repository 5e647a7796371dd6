"""Child processes that do not outlive their parent."""

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import wait


def die_with_parent() -> None:
    """End this process when its parent ends, however that ends: also in the middle of a step or of compiling.

    The system's own signal for that goes by the process that forked this one, which may live on with its children.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None, "not a child process"

    def watch() -> None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
