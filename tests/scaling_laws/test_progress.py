import io

import pytest

from scaling_laws.progress import Progress, duration


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(stream, times, start=0):
    """Updates of one step at each time, then the end."""
    clock = Clock()
    progress = Progress(100, "steps", stream, start=start, clock=clock)
    for done, now in enumerate(times, start + 1):
        clock.now = now
        progress.update(done)
    progress.close()
    return stream.getvalue()


@pytest.mark.parametrize(
    "seconds, text",
    [
        (0, "0 s"),
        (7.4, "7 s"),
        (59.6, "1 min 00 s"),
        (754, "12 min 34 s"),
        (3599.6, "1 h 00 min"),
        (7500, "2 h 05 min"),
        (float("inf"), "?"),
        (-3, "0 s"),
    ],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_a_log_gets_a_plain_line_at_most_every_ten_seconds():
    lines = run(io.StringIO(), [i / 2 for i in range(1, 51)]).splitlines()  # 25 seconds
    assert [line.split()[0] for line in lines] == ["1/100", "21/100", "41/100", "50/100"]
    assert lines[-1] == "50/100 steps  50%  2 steps/s  ETA 25 s"
    assert not any("\r" in line or "\x1b" in line for line in lines)


def test_a_terminal_gets_one_refreshed_line():
    text = run(Terminal(), [i / 16 for i in range(1, 51)])
    assert text.count("\n") == 1
    assert text.endswith("\n")
    frames = text.split("\r")[1:]
    assert len(frames) == 26  # of fifty updates every second one is too early; the last is shown by close
    assert frames[-1].startswith("[############------------] 50/100 steps  50%")


def test_what_was_done_before_is_no_speed():
    assert "2 steps/s  ETA 20 s" in run(io.StringIO(), [5.0 * i / 10 for i in range(1, 11)], start=50).splitlines()[-1]


def test_slow_work_is_said_in_seconds_each_and_the_end_in_time_taken():
    clock, stream = Clock(), io.StringIO()
    progress = Progress(2, "runs", stream, clock=clock)
    clock.now = 40.0
    progress.update(1, "loss 2.5")
    clock.now = 75.0
    progress.update(2)
    progress.close()
    assert stream.getvalue().splitlines() == [
        "1/2 runs  50%  40 s each  ETA 40 s  loss 2.5",
        "2/2 runs  100%  37.5 s each  in 1 min 15 s",
    ]


def test_nothing_done_yet_has_no_eta():
    progress = Progress(0, "runs", io.StringIO(), clock=Clock())
    assert progress.line() == "0/0 runs  100%  in 0 s"
    assert Progress(3, "runs", io.StringIO(), clock=Clock()).line() == "0/3 runs  0%  ETA ?"


def test_a_line_that_stays_goes_above_the_bar():
    stream = Terminal()
    progress = Progress(10, "runs", stream, clock=Clock())
    progress.update(5)
    progress.say("run 3 diverged")
    kept, bar = stream.getvalue().split("\n")
    assert kept.endswith("\x1b[Krun 3 diverged")
    assert bar.startswith("\r[####")
