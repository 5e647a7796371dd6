"""Settings as fields of frozen dataclasses that know their range, so that one routine checks all of them.

A field is declared with `setting(default, doc, low=, high=, choices=, identity=)`. No JAX here.
"""

import dataclasses
import difflib
import functools
import math
import typing
from collections.abc import Iterator, Mapping
from typing import Any

MOST_VALUES = 10_000  # in one tuple: a sweep of more runs than that is no study


class ConfigError(ValueError):
    """A bad setting, said in one line: field, value, what is allowed, the nearest right name."""


def setting(
    default: Any,
    doc: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[Any, ...] | None = None,
    identity: bool = True,
    neutral: Any = None,
) -> Any:
    """A dataclass field with its documentation and its allowed values (`low <= value <= high`, or `choices`).

    `neutral`: the value that a run had before there was such a field, where that is not its default.
    """
    neutral = default if neutral is None else neutral
    metadata = {"doc": doc, "low": low, "high": high, "choices": choices, "identity": identity, "neutral": neutral}
    return dataclasses.field(default=default, metadata=metadata)


def leaves(config: Any, prefix: str = "") -> Iterator[tuple[str, dataclasses.Field, Any]]:
    """(dotted path, field, value) of every setting below `config`, in declaration order."""
    for field, kind in _fields(type(config)):
        value = getattr(config, field.name)
        if kind is None:
            yield from leaves(value, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, field, value


def field_types(config: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted path -> declared type of every setting below `config`."""
    types: dict[str, Any] = {}
    for field, kind in _fields(type(config)):
        if kind is None:
            types |= field_types(getattr(config, field.name), f"{prefix}{field.name}.")
        else:
            types[prefix + field.name] = kind
    return types


@functools.cache
def _fields(kind: type) -> tuple[tuple[dataclasses.Field, Any], ...]:
    """(field, its declared type; None for a configuration of its own) of a configuration of this kind."""
    hints = typing.get_type_hints(kind)
    declared = [(field, hints[field.name]) for field in dataclasses.fields(kind)]
    return tuple((field, None if dataclasses.is_dataclass(hint) else hint) for field, hint in declared)


def nearest(name: str, names: typing.Iterable[str]) -> str:
    """`; did you mean X?` for the closest of `names`, or nothing."""
    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""


def replace(config: Any, changes: Mapping[str, Any]) -> Any:
    """A copy of `config` with the settings at dotted paths changed.

    Raises ConfigError for an unknown path, naming the nearest right one.
    """
    names = {path for path, _, _ in leaves(config)}
    for path in changes:
        if path not in names:
            raise ConfigError(f"{path}: no such field{nearest(path, names)}")
    nested: dict[str, dict[str, Any]] = {}
    direct: dict[str, Any] = {}
    for path, value in changes.items():
        head, _, rest = path.partition(".")
        if rest:
            nested.setdefault(head, {})[rest] = value
        else:
            direct[head] = value
    direct |= {head: replace(getattr(config, head), inner) for head, inner in nested.items()}
    return dataclasses.replace(config, **direct)


def check_fields(config: Any) -> None:
    """Types, ranges and choices of every setting; ConfigError names field, value and what is allowed."""
    types = field_types(config)
    for path, field, value in leaves(config):
        expected = types[path]
        if typing.get_origin(expected) is tuple:
            if not isinstance(value, tuple):
                raise ConfigError(f"{path}: {said(value)} is not a tuple; allowed: values separated by commas")
            if len(value) > MOST_VALUES:
                raise ConfigError(f"{path}: {len(value)} values; allowed: at most {MOST_VALUES}")
            for item in value:
                _check_value(path, item, typing.get_args(expected)[0], field.metadata)
            if len(set(value)) != len(value):
                raise ConfigError(f"{path}: {said(value)} repeats a value; allowed: each value once")
        else:
            _check_value(path, value, expected, field.metadata)


def _check_value(path: str, value: Any, expected: type, rule: Mapping[str, Any]) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {float: number, int: number and isinstance(value, int)}.get(expected, isinstance(value, expected))
    if not fits:
        raise ConfigError(f"{path}: {said(value)} is a {type(value).__name__}; allowed: {_item_rule(expected, rule)}")
    choices, low, high = rule["choices"], rule["low"], rule["high"]
    if choices and value not in choices:
        near = nearest(str(value), map(str, choices))
        raise ConfigError(f"{path}: {said(value)}; allowed: {_item_rule(expected, rule)}{near}")
    above, below = low is None or value >= low, high is None or value <= high  # both false for nan
    if number and not (above and below and abs(value) < math.inf):
        raise ConfigError(f"{path}: {said(value)}; allowed: {_item_rule(expected, rule)}")


def said(value: Any) -> str:
    """`value` as a message shows it."""
    try:
        return repr(value)
    except ValueError:  # Python writes out no whole number of thousands of digits
        return "a number of thousands of digits"


def allowed(field: dataclasses.Field, expected: Any) -> str:
    """What a setting of the type `expected` may be, in words: `whole number, 1 to 64`, `rms, layer`."""
    if typing.get_origin(expected) is tuple:
        return f"values separated by commas, each a {_item_rule(typing.get_args(expected)[0], field.metadata)}"
    return _item_rule(expected, field.metadata)


def _item_rule(expected: type, rule: Mapping[str, Any]) -> str:
    if rule["choices"]:
        return ", ".join(map(str, rule["choices"]))
    word = {int: "whole number", float: "number", bool: "true or false", str: "text"}.get(expected, expected.__name__)
    if expected not in (int, float):
        return word
    low, high = rule["low"], rule["high"]
    if low is None or high is None:
        bound = ("" if low is None else f", at least {_plain(low)}") + (
            "" if high is None else f", at most {_plain(high)}"
        )
        return f"finite {word}{bound}"
    return f"{word}, {_plain(low)} to {_plain(high)}"


def _plain(bound: float) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:.10g}"
