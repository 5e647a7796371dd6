"""How every binary starts and ends: flags in, one line out when something the user gave is wrong.

`call` parses with absl, runs, and returns the exit code: 0 done, 2 bad input (one line, no traceback), 130 for
Ctrl-C, 75 where SIGTERM ended work that the same command takes up again (for a scheduler's requeue). A programming
error is none of these: its traceback is shown and Python exits with 1. Nothing heavy is imported here, so that
`--help` answers at once.
"""

import errno
import io
import os
import re
import sys
from collections.abc import Callable, Sequence

from absl import flags

from scaling_laws.fields import ConfigError, nearest

USAGE = 2
INTERRUPTED = 130
REQUEUE = 75  # EX_TEMPFAIL of sysexits.h
BROKEN_PIPE = 141
_ROOMS = ("scaling_laws", "analysis", "experiments", "__main__")
_PATH_ERRORS = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError)
_DEVICE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_LONGEST = 1000  # characters of a message that are shown
_LONGEST_NAME = 200  # characters of a flag

Parse = Callable[[list[str]], None]


def call(run: Callable[[], int | None], argv: Sequence[str], parse: Parse, help_text: Callable[[], str]) -> int:
    """Parses `argv` (program name first), calls `run`, and returns the exit code of the process."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names in a table may hold what no encoding writes
    try:
        if asks_for_help(argv):
            print(help_text())
            return 0
        _check_words(argv)
        parse(list(argv))
        code = run() or 0
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output (head, less) has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except (OSError, ValueError, flags.Error) as error:
        if not is_users(error):
            raise
        print(f"error: {one_line(error)}", file=sys.stderr)
        return USAGE


def stopped(terminated: bool) -> int:
    """The exit code of work that was stopped in order: by SIGTERM, or by Ctrl-C."""
    return REQUEUE if terminated else INTERRUPTED


def asks_for_help(argv: Sequence[str]) -> bool:
    """Whether `argv` contains --help (or -h, or absl's --helpfull)."""
    return any(arg in ("-h", "-help", "--help", "--helpshort", "--helpfull") for arg in argv[1:])


def is_users(error: BaseException) -> bool:
    """Whether `error` tells of bad input rather than of a bug.

    Bad input: absl's flag errors, ValueErrors of this project's own classes (a bare ValueError is a bug), and
    files that cannot be opened, read or written.
    """
    if isinstance(error, flags.Error):
        return True
    if isinstance(error, OSError):
        return isinstance(error, _PATH_ERRORS) or bool(error.filename) or error.errno in _DEVICE_ERRORS
    return isinstance(error, ValueError) and type(error).__module__.split(".")[0] in _ROOMS


def one_line(error: BaseException) -> str:
    """The message of `error` without line breaks; for files, the path first.

    What a terminal would obey instead of showing it is spelt out, and the middle of a very long message is left out.
    """
    text = str(error)
    if isinstance(error, OSError) and error.filename and error.strerror:
        text = f"{os.fsdecode(error.filename)}: {error.strerror[0].lower()}{error.strerror[1:]}"
    if len(text) > _LONGEST:
        half = _LONGEST // 2
        text = f"{text[:half]} ... {len(text) - _LONGEST} characters ... {text[-half:]}"
    words = " ".join(text.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)


def _check_words(argv: Sequence[str]) -> None:
    """Raises ConfigError for what absl must not see.

    That is --flagfile, which would read whatever it names, a device too, to its end; and a name of a thousand
    characters, for which its search for a similar one has no end either.
    """
    for name in (word.partition("=")[0] for word in argv[1:] if word.startswith("-")):
        if name in ("-flagfile", "--flagfile"):
            raise ConfigError("--flagfile: no such flag; allowed: every flag on the command line itself")
        if len(name) > _LONGEST_NAME:
            raise ConfigError(f"{name}: no such flag; allowed: names of {_LONGEST_NAME} characters at most")


def parse_flags(argv: Sequence[str], values: flags.FlagValues) -> None:
    """Parses `argv` into `values`; ConfigError says what is wrong in this project's form.

    Raises ConfigError for an unknown flag (naming the nearest right one), a value that the flag does not take, a
    required flag that is missing, and anything that is no flag.
    """
    values.set_gnu_getopt(True)
    try:
        extra = values(list(argv))[1:]
    except flags.UnrecognizedFlagError as error:
        known = [f"--{name}" for name in values]
        raise ConfigError(f"--{error.flagname}: no such flag{nearest('--' + error.flagname, known)}") from None
    except flags.Error as error:
        raise ConfigError(flag_message(str(error), values)) from None
    except ValueError as error:  # absl's word on --noNAME=VALUE
        raise ConfigError(f"{error}; allowed: --NAME=VALUE, --NAME, --noNAME") from None
    if extra:
        raise ConfigError(f"{extra[0]!r}: not a flag; allowed: --name=value")


def flag_message(message: str, values: flags.FlagValues) -> str:
    """What absl says about a flag, as `--name: 'value'; allowed: ...`."""
    if missing := re.search(r"--(\S+) must have a value", message):
        return f"--{missing[1]}: missing; {values[missing[1]].help}"
    if empty := re.match(r"Missing value for flag --(\S+)", message):
        return f"--{empty[1]}: no value; {values[empty[1]].help}"
    if not (bad := re.match(r"flag --(.+?)=(.*?): (.*)", message, re.DOTALL)) or bad[1] not in values:
        return message
    name, value, why = bad.groups()
    parser = values[name].parser
    if choices := getattr(parser, "enum_values", None):
        return f"--{name}: {value!r}; allowed: {', '.join(choices)}{nearest(value, choices)}"
    rule = getattr(parser, "syntactic_help", "")
    return f"--{name}: {value!r}; " + (f"allowed: {rule}" if rule else why)


def describe_flags(values: flags.FlagValues, program: str) -> str:
    """One line a flag of this project (not of libraries), with its default."""
    ours = {
        flag.name: flag
        for module, members in values.flags_by_module_dict().items()
        if module == program or module.split(".")[0] in _ROOMS
        for flag in members
    }
    lines = []
    for name, flag in ours.items():
        default = "" if flag.default is None else f" (default {flag.default_as_str})"
        lines.append(f"  --{name:<22} {flag.help}{default}")
    return "\n".join(lines)
