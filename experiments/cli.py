"""The command line of the experiments: `--config=PATH.py`, `--config.FIELD=VALUE`, `--workdir=DIR`, and own flags.

    def run() -> int | None:
        config, workdir = cli.config(), cli.workdir()
        ...

    if __name__ == "__main__":
        cli.main(run)

Heavy libraries are imported inside `run`, so that `--help` answers at once.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from absl import flags

from experiments import overrides
from scaling_laws import command
from scaling_laws.cluster import LAUNCHERS
from scaling_laws.config import ConfigError, ExperimentConfig, replace

_WORKDIR_HELP = "folder that holds the runs table, checkpoints and TensorBoard files"
_WORKDIR = flags.DEFINE_string("workdir", None, _WORKDIR_HELP)
_LAUNCHER = flags.DEFINE_enum("launcher", None, LAUNCHERS, "where runs go, as --config.cluster.launcher says it too")
_parsed: list[ExperimentConfig] = []


def config() -> ExperimentConfig:
    """The configuration of this process, every field checked; rules across fields are the caller's to check."""
    return _parsed[-1]


def workdir() -> Path:
    """The folder named by --workdir. Raises ConfigError when it is missing or names a file."""
    if not _WORKDIR.value:
        raise ConfigError(f"--workdir: missing; {_WORKDIR_HELP}")
    path = Path(_WORKDIR.value)
    if path.exists() and not path.is_dir():
        raise ConfigError(f"--workdir: {path} is a file; allowed: a folder, made when absent")
    return path


def whole_numbers(flag: str, values: Sequence[str]) -> list[int]:
    """Whole numbers, each once, ascending. Raises ConfigError for anything else, and for none."""
    try:
        found = sorted({int(value) for value in values})
    except ValueError:
        found = []
    if not found:
        raise ConfigError(f"{flag}: {','.join(values)!r}; allowed: whole numbers separated by commas")
    return found


def main(run: Callable[[], int | None]) -> None:
    """Parses the command line, calls `run` and exits: 0 done, 2 bad input, else what `run` returned."""
    sys.exit(call(run, sys.argv))


def call(run: Callable[[], int | None], argv: list[str]) -> int:
    """`main` without exiting, for another program or a test: the exit code."""

    def parse(words: list[str]) -> None:
        parsed, rest = overrides.parse(words)
        command.parse_flags(rest, flags.FLAGS)
        changes = {"cluster.launcher": _LAUNCHER.value} if _LAUNCHER.value else {}
        _parsed[:] = [replace(parsed, changes)]

    def help_text() -> str:
        doc = (sys.modules[run.__module__].__doc__ or "").strip()
        ours = command.describe_flags(flags.FLAGS, argv[0])
        file = (
            f"  --{'config':<22} Python file whose get_config() returns an ExperimentConfig (default: the values below)"
        )
        settings = overrides.describe(ExperimentConfig())
        return f"{doc}\n\nflags:\n{file}\n{ours}\n\nsettings, each as --config.NAME=VALUE:\n{settings}"

    return command.call(run, argv, parse, help_text)
