"""Where a figure's data come from: own sweeps of the catalogue, a sweep that is there already, or published tables."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.reproduce import sweeps
from experiments.reproduce.entry import Figure, Own, Published, Result
from scaling_laws.config import ConfigError

if TYPE_CHECKING:
    from scaling_laws.sweep.summary import Summary

OWN = "own"
TABLE = "runs.parquet"  # of a workdir


@dataclasses.dataclass(frozen=True)
class Source:
    """`data`: OWN, the workdir of a sweep, a folder of kept results, or a folder of published tables; `workdir`: where
    own sweeps lie."""

    data: str
    scale: str
    workdir: Path
    bootstrap: int

    @property
    def is_sweep(self) -> bool:
        """Whether --data names the workdir of one sweep."""
        return self.data != OWN and (Path(self.data) / TABLE).exists()

    @property
    def said(self) -> str:
        """What a reader is told of it."""
        if self.data == OWN:
            return f"own runs at scale {self.scale}"
        return f"the runs of {self.data}" if self.is_sweep else f"the tables of {self.data}"

    def figures(self, figures: Mapping[str, Figure]) -> dict[str, Figure]:
        """Those that can be had. Raises ConfigError where none can, naming what is missing."""
        found = {number: figure for number, figure in figures.items() if self._runs(figure) or self._tables(figure)}
        if found:
            return found
        if self.data == OWN or self.is_sweep:
            raise ConfigError(
                f"--data: {self.data}; allowed for this figure: a folder of published tables (--list says which)"
            )
        lacking = [one for one in figures.values() if one.published]
        if not lacking:
            raise ConfigError(f"--data: {self.data}; allowed for this figure: own, or the workdir of a sweep")
        lacks = next(file for file in lacking[0].files if not (Path(self.data) / file).exists())
        raise ConfigError(f"--data: {self.data} lacks {lacks}; allowed: own, or a folder with the files --list names")

    def train(self, figure: Figure) -> "Iterator[Summary]":
        """Do what is left of the sweeps that a figure reads, one after the other."""
        if self.data == OWN:
            for name in figure.sweeps:
                yield from sweeps.sweep(name).train(self.scale, self._folder(name))

    def build(self, figure: Figure) -> Result:
        """The figure. Raises DataError and NothingToDraw for what the data do not carry."""
        if self._runs(figure):
            assert figure.own is not None
            return figure.own(Own(self.scale, {name: self._folder(name) for name in figure.sweeps}, self.bootstrap))
        assert figure.published is not None
        return figure.published(Published(Path(self.data), self.bootstrap))

    def _runs(self, figure: Figure) -> bool:
        """Whether a figure is built from own runs here."""
        if figure.own is None:
            return False
        kept = bool(figure.sweeps) and all(self._folder(name).exists() for name in figure.sweeps)
        return self.data == OWN or self.is_sweep or kept

    def _tables(self, figure: Figure) -> bool:
        """Whether a figure is built from published tables here."""
        there = self.data != OWN and all((Path(self.data) / file).exists() for file in figure.files)
        return figure.published is not None and there

    def _folder(self, name: str) -> Path:
        """Where the runs of a sweep are read, and trained."""
        if self.data == OWN:
            return self.workdir / self.scale / name
        return Path(self.data) if self.is_sweep else Path(self.data) / sweeps.sweep(name).kept
