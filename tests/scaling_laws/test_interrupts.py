import os
import signal
import threading

import pytest

from scaling_laws.interrupts import interruptible


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_one_interrupts(number):
    before = signal.getsignal(number)
    with interruptible() as asked:
        assert not asked()
        os.kill(os.getpid(), number)
        assert asked()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_another_thread_is_never_asked():
    answers = []

    def body():
        with interruptible() as asked:
            answers.append(asked())

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert answers == [False]
