"""The figures of a study: each one a file that builds a `Drawing`, registered here.

draw_all(study, folder) -> what was written and what could not be drawn, with the reason
"""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

from analysis.figures import frontier_scaling, isoflop_curves, loss_over_flops, regions, shape_maps, surface
from analysis.figures.chart import Drawing, NothingToDraw
from analysis.study import Study

__all__ = ["FIGURES", "Built", "Drawing", "NothingToDraw", "build_all", "draw", "draw_all", "save_all"]

FIGURES: Mapping[str, Callable[[Study], Drawing]] = {
    module.NAME: module.build
    for module in (loss_over_flops, isoflop_curves, surface, frontier_scaling, regions, shape_maps)
}


@dataclasses.dataclass(frozen=True)
class Built:
    """Drawings that could be made, and name -> reason of those that could not."""

    drawings: tuple[Drawing, ...]
    skipped: Mapping[str, str]


def build_all(study: Study) -> Built:
    """Every registered figure of a study, in the registry's order."""
    drawings, skipped = [], {}
    for name, build in FIGURES.items():
        try:
            drawings.append(build(study))
        except NothingToDraw as reason:
            skipped[name] = str(reason)
    return Built(tuple(drawings), skipped)


def draw(name: str, study: Study, folder: Path) -> list[Path]:
    """Writes one figure as PNG, SVG and CSV; returns the paths. Raises NothingToDraw, saying what is missing."""
    return _save(FIGURES[name](study), folder)


def save_all(built: Built, folder: Path) -> list[Path]:
    """Writes every drawing as PNG, SVG and CSV; returns the paths."""
    return [path for drawing in built.drawings for path in _save(drawing, folder)]


def draw_all(study: Study, folder: Path) -> tuple[list[Path], Mapping[str, str]]:
    """Builds and writes every figure: (paths written, name -> reason of those left out)."""
    built = build_all(study)
    return save_all(built, folder), built.skipped


def _save(drawing: Drawing, folder: Path) -> list[Path]:
    from analysis.figures import static  # matplotlib takes most of a second to import: only when drawing

    return static.save(drawing, Path(folder))
