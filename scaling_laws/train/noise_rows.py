"""The file of a workdir that keeps measurements of the noise scale: sealed lines, whole or not at all."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scaling_laws.disk import read_file, replace_file
from scaling_laws.sealed import seal, unseal

FILE = "noise_scale.jsonl"
KEY = ("run_id", "step", "drawn")  # `drawn`: how many windows in how many batches and groups


class NoiseRows:
    """Rows by run, step and how they were measured; a damaged line counts as not measured."""

    def __init__(self, workdir: Path):
        self.path = workdir / FILE
        lines = read_file(self.path).splitlines() if self.path.exists() else []
        found = [row for row in map(unseal, lines) if row is not None]
        self._rows = {_key(row): row for row in found}

    def add(self, row: Mapping[str, Any]) -> None:
        """Keep a row; on return it is on the disk."""
        self._rows[_key(row)] = dict(row)
        replace_file(self.path, b"".join(map(seal, self._rows.values())))

    def rows(self) -> list[dict[str, Any]]:
        """All of them, by run and step."""
        return sorted(self._rows.values(), key=lambda row: (row["run_id"], row["step"]))

    def of(self, run_id: str, drawn: str) -> list[dict[str, Any]]:
        """The rows of one run measured in one way, by step."""
        own = [row for key, row in self._rows.items() if key[0] == run_id and key[2] == drawn]
        return sorted(own, key=lambda row: row["step"])


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in KEY)
