"""The command line of the analysis binaries: absl flags, no JAX, one line for bad input.

flags.DEFINE_string("runs", None, "...", required=True)
if __name__ == "__main__":
    cli.main(run)
"""

import sys
from collections.abc import Callable

from absl import flags

from scaling_laws import command


def main(run: Callable[[], int | None]) -> None:
    """Parses the flags of this process, calls `run` and exits: 0 done, 2 bad input, else what `run` returned."""
    sys.exit(call(run, sys.argv))


def call(run: Callable[[], int | None], argv: list[str]) -> int:
    """`main` without exiting, for another program or a test: the exit code."""

    def parse(words: list[str]) -> None:
        command.parse_flags(words, flags.FLAGS)

    def help_text() -> str:
        doc = (sys.modules[run.__module__].__doc__ or "").strip()
        return f"{doc}\n\nflags:\n{command.describe_flags(flags.FLAGS, argv[0])}"

    return command.call(run, argv, parse, help_text)
