"""What the catalogue is made of: a paper, its figures, and what one of them comes to."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.figures.chart import Drawing

YES, NO, OPEN, WIDE = "yes", "no", "", "too wide"
SCALES = ("smoke", "cpu", "gpu")


@dataclasses.dataclass(frozen=True)
class Quantity:
    """A number of a paper beside the same number here.

    `paper` and `here` in the same unit, None where there is none; `interval` of `here`. They agree where they differ by
    at most `tolerance` (absolute; None: none is stated) or, without one, where the interval holds `paper` and is
    narrower than `paper` is large: a wider one would hold nearly anything; with `at_most`, where `here` is no more than
    `paper` and the tolerance, as of an error. `why`: what may keep them apart, said where
    they do not agree.
    """

    name: str
    paper: float | None
    here: float | None
    interval: tuple[float, float] | None = None
    tolerance: float | None = None
    paper_scale: str = ""
    scale: str = ""
    why: str = ""
    at_most: bool = False

    @property
    def agrees(self) -> str:
        """YES, NO, WIDE where the interval says too little, or OPEN where there is nothing to compare with."""
        if self.paper is None or self.here is None or not math.isfinite(self.here):
            return OPEN
        if self.at_most:
            return YES if self.here - self.paper <= (self.tolerance or 0.0) else NO
        if self.tolerance is not None:
            return YES if abs(self.here - self.paper) <= self.tolerance else NO
        if self.interval is None:
            return OPEN
        low, high = self.interval
        if not low <= self.paper <= high:
            return NO
        return YES if high - low < abs(self.paper) else WIDE


@dataclasses.dataclass(frozen=True)
class Result:
    """What a figure comes to: drawings, numbers, and sentences about them."""

    drawings: tuple["Drawing", ...]
    quantities: tuple[Quantity, ...]
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Own:
    """The project's own runs: scale -> workdirs of the sweeps that a figure reads, by name."""

    scale: str
    workdirs: Mapping[str, Path]
    bootstrap: int


@dataclasses.dataclass(frozen=True)
class Published:
    """Published tables below `folder`, as the catalogue names their files."""

    folder: Path
    bootstrap: int


@dataclasses.dataclass(frozen=True)
class Figure:
    """One figure (or table) of a paper.

    `own`: builds it from the project's runs, of the `sweeps` named; `published`: from the published `files`. One of
    both may be missing; a figure that needs no data (a consequence of published constants) has an `own` without sweeps.
    """

    claim: str
    own: Callable[[Own], Result] | None = None
    sweeps: tuple[str, ...] = ()
    published: Callable[[Published], Result] | None = None
    files: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Paper:
    """A paper: reference, what it says in a sentence, and its figures by number or name."""

    reference: str
    claim: str
    figures: Mapping[str, Figure]
