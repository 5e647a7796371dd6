"""What a fuzzed case is: a program, its words, and files of its own."""

import dataclasses
from collections.abc import Mapping

PROGRAMS = ("sweep", "train", "fit")


@dataclasses.dataclass(frozen=True)
class Case:
    """A command: one of PROGRAMS with words, in a folder that holds these files (name -> bytes)."""

    program: str
    words: tuple[str, ...]
    files: Mapping[str, bytes] = dataclasses.field(default_factory=dict)
