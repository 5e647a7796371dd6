"""What the sections of settings have in common, one a technique: frozen dataclasses of fields."""

import dataclasses
import re
from typing import Any

from scaling_laws.fields import ConfigError, said


def form(section: Any) -> Any:
    """What a program depends on: 1 for a number above 0, which is an argument of it, and the rest as it is."""
    return dataclasses.replace(section, **{name: float(value > 0) for name, value in _numbers(section).items()})


def arguments(name: str, section: Any) -> dict[str, float]:
    """The numbers that are arguments of a program, as `section.field`."""
    return {f"{name}.{field}": value for field, value in _numbers(section).items()}


def in_use(section: Any) -> dict[str, float]:
    """Name -> number of each setting that differs from its default, true as 1."""
    return {
        field.name: float(getattr(section, field.name))
        for field in dataclasses.fields(section)
        if getattr(section, field.name) != field.default
    }


def check_named(name: str, section: Any, run: str) -> None:
    """Raises ConfigError where the field `run` of the section `name` is no run_id, or is empty and another is set."""
    given = getattr(section, run)
    if given and not re.fullmatch("[0-9a-f]{16}", given):
        raise ConfigError(f"{name}.{run}: {said(given)}; allowed: a run_id, 16 of 0 to 9 and a to f")
    for field in dataclasses.fields(section):
        value = getattr(section, field.name)
        if not given and value != field.default:
            raise ConfigError(
                f"{name}.{field.name}: {said(value)}; allowed: {said(field.default)} without {name}.{run}"
            )


def _numbers(section: Any) -> dict[str, float]:
    return {field.name: getattr(section, field.name) for field in dataclasses.fields(section) if field.type is float}
