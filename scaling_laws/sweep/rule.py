"""The file of a fitted rule: learning rate and batch as powers of N and D, written by `python -m analysis.rule`."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scaling_laws.config import ConfigError, said
from scaling_laws.disk import read_file

FORMAT = 2
SMALLEST, LARGEST, STEEPEST = 1e-100, 1e100, 3.0  # coefficients, and the size of an exponent
DIGITS = 16  # hexadecimal digits of a file's SHA-256 that name it
WRITER = "what python -m analysis.rule writes"


@dataclasses.dataclass(frozen=True)
class PowerLaw:
    """coefficient x N^n_params x D^tokens."""

    coefficient: float
    n_params: float
    tokens: float

    def __call__(self, n_params: float, tokens: float) -> float:
        """The value at N parameters and D tokens."""
        return self.coefficient * n_params**self.n_params * tokens**self.tokens

    def __str__(self) -> str:
        return f"{self.coefficient:.4g} N^{self.n_params:.4g} D^{self.tokens:.4g}"


@dataclasses.dataclass(frozen=True)
class Rule:
    """A fitted rule, what it holds for, and where it was measured: `ranges` of n_params, tokens and batch_tokens."""

    learning_rate: PowerLaw
    batch_tokens: PowerLaw | None
    parametrization: str
    base_width: int
    base_depth: int
    optimizer: str
    ranges: Mapping[str, tuple[float, float]]
    source: str  # `rule:HASH fitted to HASH`: of the file, and of the numbers it was fitted to


def read(path: str) -> Rule:
    """The rule in a file. Raises ConfigError, in one line, for a file that is none, and OSError."""
    data = read_file(Path(path))
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise ConfigError(f"sweep.rule: {path} is not JSON; allowed: {WRITER}") from None
    name = hashlib.sha256(data).hexdigest()[:DIGITS]
    return _Fields(path, "", found).rule(name)


class _Fields:
    """A JSON object of the file whose values are checked as they are taken."""

    def __init__(self, path: str, name: str, found: Any):
        self.path, self.name, self.found = path, name, found
        if not isinstance(found, dict):
            raise self._bad("", found, "an object")

    def rule(self, name: str) -> Rule:
        if self.found.get("format") != FORMAT:
            raise self._bad("format", self.found.get("format"), f"{FORMAT}, {WRITER}")
        batch = self.found.get("batch_tokens")
        return Rule(
            learning_rate=self._object("learning_rate").power_law(),
            batch_tokens=None if batch is None else self._object("batch_tokens").power_law(),
            parametrization=self._text("parametrization"),
            base_width=self._size("base_width"),
            base_depth=self._size("base_depth"),
            optimizer=self._text("optimizer"),
            ranges={key: self._object("range").pair(key) for key in ("n_params", "tokens", "batch_tokens")},
            source=f"rule:{name} fitted to {self._object('source')._text('table')}",
        )

    def power_law(self) -> PowerLaw:
        exponents = self._object("exponents")
        powers = {name: exponents.number(name, -STEEPEST, STEEPEST) for name in ("n_params", "tokens")}
        return PowerLaw(self.number("coefficient", SMALLEST, LARGEST), **powers)

    def number(self, key: str, low: float, high: float) -> float:
        return self._number(key, self.found.get(key), low, high)

    def pair(self, key: str) -> tuple[float, float]:
        value = self.found.get(key)
        if not isinstance(value, list) or len(value) != 2:
            raise self._bad(key, value, "two numbers")
        first, second = (self._number(key, one, SMALLEST, LARGEST) for one in value)
        return first, second

    def _number(self, key: str, value: Any, low: float, high: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise self._bad(key, value, f"a number, {low:g} to {high:g}")
        return float(value)

    def _object(self, key: str) -> "_Fields":
        return _Fields(self.path, f"{self.name}{key}.", self.found.get(key))

    def _text(self, key: str) -> str:
        value = self.found.get(key)
        if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= 100:
            raise self._bad(key, value, "a short text")
        return value

    def _size(self, key: str) -> int:
        value = self.found.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST:
            raise self._bad(key, value, "a whole number, 0 where none is read")
        return value

    def _bad(self, key: str, value: Any, rule: str) -> ConfigError:
        field = f"{self.name}{key}".strip(".") or "the file"
        return ConfigError(f"sweep.rule: {self.path}: {field}: {said(value)}; allowed: {rule}")
