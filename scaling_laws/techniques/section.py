"""What the sections of settings have in common, one a technique: frozen dataclasses of fields."""

import dataclasses
from typing import Any


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


def _numbers(section: Any) -> dict[str, float]:
    return {field.name: getattr(section, field.name) for field in dataclasses.fields(section) if field.type is float}
