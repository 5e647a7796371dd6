"""A progress line: on a terminal one line that is refreshed, in a log a plain line every ten seconds or so."""

import math
import shutil
import sys
import time
from collections.abc import Callable
from typing import TextIO

BAR = 24  # characters of the bar on a terminal
TERMINAL_EVERY = 0.1  # seconds between two refreshed lines
LOG_EVERY = 10.0  # seconds between two lines of a log


def duration(seconds: float) -> str:
    """`45 s`, `3 min 20 s` or `2 h 05 min`; `?` when it is not known."""
    if not math.isfinite(seconds):
        return "?"
    whole = round(max(0.0, seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class Progress:
    """How much of `total` is done, how fast, and when it ends.

    `unit` names what is counted ("steps", "runs"); any number will do, so that work of unequal size can be counted
    by its cost. `start` is what was done before (a resumed run): it counts as done, not as speed.
    """

    def __init__(
        self,
        total: float,
        unit: str,
        stream: TextIO | None = None,
        *,
        start: float = 0,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._total, self._unit, self._stream = total, unit, stream or sys.stderr
        self._start, self._done, self._note = start, start, ""
        self._clock, self._began = clock, clock()
        self._terminal = self._stream.isatty()
        self._shown_at, self._shown, self._closed = -math.inf, "", False

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def update(self, done: float, note: str = "") -> None:
        """`done` of the total are done now; shown when the last line is old enough."""
        self._done, self._note = done, note
        if self._clock() - self._shown_at >= (TERMINAL_EVERY if self._terminal else LOG_EVERY):
            self._show()

    def say(self, line: str) -> None:
        """A line that stays, above the progress line."""
        self._stream.write(f"\r\x1b[K{line}\n" if self._terminal else f"{line}\n")
        if self._terminal and self._shown and not self._closed:
            self._show()
        self._stream.flush()

    def close(self) -> None:
        """Show where it ended and leave the line. More calls do nothing."""
        if self._closed:
            return
        if self.line() != self._shown:
            self._show()
        if self._terminal:
            self._stream.write("\n")
            self._stream.flush()
        self._closed = True

    def line(self) -> str:
        """The progress as plain text: `120/1000 steps  12%  34.5 steps/s  ETA 25 s  note`."""
        elapsed = self._clock() - self._began
        rate = (self._done - self._start) / elapsed if elapsed > 0 else 0.0
        parts = [f"{self._done:.4g}/{self._total:.4g} {self._unit}" if self._total >= 1e7 else self._counts()]
        parts.append(f"{100 * self._share():.0f}%")
        if rate > 0:
            parts.append(f"{rate:.3g} {self._unit}/s" if rate >= 0.1 else f"{1 / rate:.3g} s each")
        if self._done < self._total:
            parts.append(f"ETA {duration((self._total - self._done) / rate if rate > 0 else math.inf)}")
        else:
            parts.append(f"in {duration(elapsed)}")
        return "  ".join([*parts, self._note] if self._note else parts)

    def _counts(self) -> str:
        return f"{self._done:.10g}/{self._total:.10g} {self._unit}"

    def _share(self) -> float:
        return min(1.0, self._done / self._total) if self._total > 0 else 1.0

    def _show(self) -> None:
        self._shown, self._shown_at = self.line(), self._clock()
        if self._terminal:
            full = round(BAR * self._share())
            width = shutil.get_terminal_size().columns - 1
            self._stream.write("\r" + f"[{'#' * full}{'-' * (BAR - full)}] {self._shown}"[:width] + "\x1b[K")
        else:
            self._stream.write(self._shown + "\n")
        self._stream.flush()
