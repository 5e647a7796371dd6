"""What a worker and its parent say to each other through a pipe."""

import dataclasses
from typing import Any

from scaling_laws.config import RunConfig, TaskConfig


@dataclasses.dataclass(frozen=True)
class Setup:
    """What a worker is started with; `core` pins it to a core, None leaves it to the system."""

    name: str
    started: float  # of the monotonic clock, which is one for all processes
    corpus_hash: str  # that the text must have
    core: int | None
    task: TaskConfig
    workdir: str
    cache: str
    programs: str


@dataclasses.dataclass(frozen=True)
class PackMember:
    """One run of a job."""

    run_id: str
    run: RunConfig
    budget: float | None
    purpose: str
    lr_source: str
    keep_trunk: bool  # for a longer branch
    arm: tuple[str, float] | None = None


@dataclasses.dataclass(frozen=True)
class Job:
    """To a worker: do these runs, of one form, together."""

    members: tuple[PackMember, ...]
    strategy: str  # map or vmap
    pack_devices: int


@dataclasses.dataclass(frozen=True)
class Trial:
    """To a worker: measure how fast such a run advances in each of these packs (members, strategy, devices)."""

    run: RunConfig
    packs: tuple[tuple[int, str, int], ...]


@dataclasses.dataclass(frozen=True)
class Stop:
    """To a worker: write a checkpoint and end."""


@dataclasses.dataclass(frozen=True)
class Ready:
    """From a worker: the task is loaded, give me a run; `seconds` since its process was started."""

    seconds: float


@dataclasses.dataclass(frozen=True)
class At:
    """From a worker: how far its run is, in optimiser steps."""

    run_id: str
    step: int


@dataclasses.dataclass(frozen=True)
class Said:
    """From a worker: a line for the user."""

    text: str


@dataclasses.dataclass(frozen=True)
class Done:
    """From a worker: a row of the runs table and its curve."""

    run_id: str
    row: dict[str, Any]
    curve: list[dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class Failed:
    """From a worker: what it was doing raised; `reason` is the type and the message of what it raised."""

    reason: str


@dataclasses.dataclass(frozen=True)
class Unable:
    """From a worker: the machine or the text is not fit for any run, with the reason."""

    reason: str


@dataclasses.dataclass(frozen=True)
class Tried:
    """From a worker: optimiser steps a second of all members, for each pack of a trial; 0 where it could not be had."""

    rates: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Stopped:
    """From a worker: stopped as asked, with checkpoints."""


@dataclasses.dataclass(frozen=True)
class Died:
    """About a worker: its process ended by itself, with this exit code (negative: killed by that signal), or `how`."""

    exit_code: int | None
    how: str = ""


@dataclasses.dataclass(frozen=True)
class Returned:
    """About a worker: it gives its runs back, which did not die under it."""
