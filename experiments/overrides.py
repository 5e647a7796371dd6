"""From `--config=PATH.py --config.model.width=128 ...` to a checked ExperimentConfig, through ml_collections.

ml_collections overrides a dataclass by setting attributes, which a frozen dataclass refuses. So the flag holds a
mutable twin of the configuration (`thaw`), and what comes out of the parser is frozen again (`freeze`).
"""

import dataclasses
import functools
import re
import traceback
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import config_flags

from scaling_laws.config import (
    MOST_VALUES,
    ConfigError,
    ExperimentConfig,
    allowed,
    check_fields,
    field_types,
    leaves,
    nearest,
    replace,
)
from scaling_laws.disk import read_file

NAME = "config"
_OVERRIDE = re.compile(rf"--?(?:no)?{NAME}\.([^=]*)")


class _TupleParser(flags.ArgumentParser):
    """`16,32`, `(16, 32)` or `[16, 32]` as a tuple of one type; an empty text is the empty tuple."""

    def __init__(self, item: type):
        self._item = item

    def parse(self, argument: str | tuple[Any, ...]) -> tuple[Any, ...]:
        """The tuple that `argument` spells; ValueError when an item does not read as the type."""
        if isinstance(argument, tuple):
            return argument
        text = argument.strip()
        if text[:1] + text[-1:] in ("()", "[]"):
            text = text[1:-1]
        words = [word.strip() for word in text.strip().removesuffix(",").split(",")]
        return () if words == [""] else tuple(self._item(word) for word in words)


for _item in (int, float, str):
    config_flags.register_flag_parser_for_type(tuple[_item, ...], _TupleParser(_item))


@functools.cache
def _mutable(kind: type) -> type:
    """The twin of the frozen dataclass `kind`: the same fields, not frozen, groups replaced by their twins."""
    hints = typing.get_type_hints(kind)
    members = [
        (f.name, _mutable(hints[f.name]) if _is_group(hints[f.name]) else hints[f.name])
        for f in dataclasses.fields(kind)
    ]
    return dataclasses.make_dataclass(kind.__name__, members)


def _is_group(kind: Any) -> bool:
    return isinstance(kind, type) and dataclasses.is_dataclass(kind)


def thaw(config: Any) -> Any:
    """A mutable copy of a frozen dataclass and of the dataclasses in it."""
    values = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    inner = {name: thaw(value) if dataclasses.is_dataclass(value) else value for name, value in values.items()}
    return _mutable(type(config))(**inner)


def freeze(twin: Any, config: Any) -> Any:
    """`config` with every setting taken from its mutable `twin`."""
    return replace(config, {path: value for path, _, value in leaves(twin)})


def load(path: str) -> ExperimentConfig:
    """What `get_config()` of the Python file at `path` returns.

    Raises OSError when the file cannot be read and ConfigError, with file and line, when it does not give an
    ExperimentConfig.
    """
    source = read_file(Path(path))
    module = types.ModuleType("config_file")
    module.__file__ = path
    try:
        exec(compile(source, path, "exec"), module.__dict__)
        if not callable(getattr(module, "get_config", None)):
            raise ConfigError(f"{path}: no function get_config(); allowed: one that returns an ExperimentConfig")
        config = module.get_config()
    except Exception as error:
        raise ConfigError(_where(error, path)) from error
    if not isinstance(config, ExperimentConfig):
        raise ConfigError(f"{path}: get_config() gave {type(config).__name__}; allowed: an ExperimentConfig")
    return config


def _where(error: Exception, path: str) -> str:
    """`file:line: what went wrong` for an error raised while the file at `path` ran."""
    if isinstance(error, ConfigError) and str(error).startswith(f"{path}: "):
        return str(error)
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    if isinstance(error, SyntaxError) and error.filename == path:
        lines, text = [error.lineno], error.msg
    else:
        text = str(error)
    place = f"{path}:{lines[-1]}" if lines and lines[-1] else path
    kind = "" if isinstance(error, ConfigError) else f"{type(error).__name__}: "
    return f"{place}: {kind}{text}"


def parse(argv: Sequence[str]) -> tuple[ExperimentConfig, list[str]]:
    """The configuration that `argv` (program name first) asks for, and the arguments that are not about it.

    Raises ConfigError in one line: unknown setting, value of the wrong type or out of range, bad config file;
    OSError for a file that cannot be read.
    """
    path, words = _split_path(list(argv))
    base = ExperimentConfig() if path is None else load(path)
    check_fields(base)
    _check_names(words, base)
    values = flags.FlagValues()
    values.set_gnu_getopt(True)
    try:
        holder = config_flags.DEFINE_config_dataclass(NAME, thaw(base), flag_values=values, sys_argv=words)
        rest = values(words, known_only=True)
    except flags.Error as error:
        raise ConfigError(_bad_value(str(error), base)) from None
    except ValueError as error:  # absl's word on --noconfig.NAME=VALUE
        raise ConfigError(f"{error}; allowed: --{NAME}.NAME=VALUE") from None
    config = freeze(holder.value, base)
    check_fields(config)
    return config, rest


def _split_path(argv: list[str]) -> tuple[str | None, list[str]]:
    """The PATH of --config=PATH or --config PATH (None when absent), and `argv` without it."""
    path, words, rest = None, iter(argv), []
    for word in words:
        name, equals, value = word.partition("=")
        if name not in (f"--{NAME}", f"-{NAME}"):
            rest.append(word)
            continue
        if path is not None:
            raise ConfigError(f"--{NAME}: given twice; allowed: one file, overrides as --{NAME}.FIELD=VALUE")
        path = value if equals else next(words, "")
        if not path:
            raise ConfigError(f"--{NAME}: no file; allowed: a Python file with get_config()")
    return path, rest


def _check_names(words: list[str], config: ExperimentConfig) -> None:
    """Raises ConfigError for an override of something that is not a setting, or with more values than are read."""
    names = [path for path, _, _ in leaves(config)]
    for word in words:
        match = _OVERRIDE.match(word)
        if match is None:
            continue
        if match[1] in names:
            if word.count(",") > MOST_VALUES:
                raise ConfigError(f"{match[1]}: more than {MOST_VALUES} commas; allowed: at most {MOST_VALUES} values")
            continue
        inside = [name for name in names if name.startswith(match[1] + ".")]
        if inside:
            raise ConfigError(f"{match[1]}: a group of settings; allowed: {', '.join(inside)}")
        raise ConfigError(f"{match[1]}: no such field{nearest(match[1], names)}")


def _bad_value(message: str, config: ExperimentConfig) -> str:
    """absl's word on an override, as `model.width: 'abc'; allowed: ...`."""
    fields, kinds = {path: field for path, field, _ in leaves(config)}, field_types(config)
    match = re.search(rf"--(?:no)?{NAME}\.([\w.]+)(?:=(.*?): )?", message, re.DOTALL)
    if match is None or match[1] not in fields:
        return message
    said = "no value" if match[2] is None else repr(match[2])
    return f"{match[1]}: {said}; allowed: {allowed(fields[match[1]], kinds[match[1]])}"


def describe(config: Any) -> str:
    """One line a setting: name, value, meaning and what is allowed."""
    kinds, lines = field_types(config), []
    for path, field, value in leaves(config):
        shown = (
            ",".join(f"{item:g}" if isinstance(item, float) else str(item) for item in value)
            if isinstance(value, tuple)
            else value
        )
        lines.append(f"  {path:<26} {shown!s:<12} {field.metadata['doc']} [{allowed(field, kinds[path])}]")
    return "\n".join(lines)
