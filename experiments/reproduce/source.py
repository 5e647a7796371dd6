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
    """`data`: OWN, the workdir of a sweep, or a folder of published tables; `workdir`: where own sweeps lie."""

    data: str
    scale: str
    workdir: Path
    bootstrap: int

    @property
    def is_sweep(self) -> bool:
        """Whether --data names the workdir of a sweep."""
        return self.data != OWN and (Path(self.data) / TABLE).exists()

    @property
    def said(self) -> str:
        """What a reader is told of it."""
        if self.data == OWN:
            return f"own runs at scale {self.scale}"
        return f"the runs of {self.data}" if self.is_sweep else "published tables"

    def figures(self, figures: Mapping[str, Figure]) -> dict[str, Figure]:
        """Those that can be had. Raises ConfigError where none can, naming what is missing."""
        if self.data == OWN or self.is_sweep:
            found = {number: figure for number, figure in figures.items() if figure.own}
            if not found:
                raise ConfigError(
                    f"--data: {self.data}; allowed for this figure: a folder of published tables (--list says which)"
                )
            return found
        tables = {number: figure for number, figure in figures.items() if figure.published}
        if not tables:
            raise ConfigError(f"--data: {self.data}; allowed for this figure: own, or the workdir of a sweep")
        folder = Path(self.data)
        missing = {number: [f for f in one.files if not (folder / f).exists()] for number, one in tables.items()}
        found = {number: figure for number, figure in tables.items() if not missing[number]}
        if not found:
            lacks = next(iter(missing.values()))[0]
            raise ConfigError(f"--data: {folder} lacks {lacks}; allowed: own, or a folder with the files --list names")
        return found

    def train(self, figure: Figure) -> "Iterator[Summary]":
        """Do what is left of the sweeps that a figure reads, one after the other."""
        if self.data == OWN:
            for name in figure.sweeps:
                yield sweeps.train(name, self.scale, sweeps.folder(name, self.scale, self.workdir))

    def build(self, figure: Figure) -> Result:
        """The figure. Raises DataError and NothingToDraw for what the data do not carry."""
        if self.data != OWN and not self.is_sweep:
            assert figure.published is not None
            return figure.published(Published(Path(self.data), self.bootstrap))
        assert figure.own is not None
        folders = {name: sweeps.folder(name, self.scale, self.workdir) for name in figure.sweeps}
        if self.is_sweep:
            folders = dict.fromkeys(figure.sweeps, Path(self.data))
        return figure.own(Own(self.scale, folders, self.bootstrap))
