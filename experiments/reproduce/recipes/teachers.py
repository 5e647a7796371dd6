"""Students of one shape and length under teachers of several, all of them cells of one baseline grid on text: the
recipe of `experiments/configs/techniques_text.py`, smaller. At cpu scale 81 runs without a teacher and 108 with one."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scaling_laws.sweep.summary import Summary

WEIGHT = 0.5  # of the teacher in the objective


@dataclasses.dataclass(frozen=True)
class Size:
    """Changes of the recipe, rates on either side of the middle one, and (width, steps) of students and teachers."""

    changes: dict[str, Any]
    reach: int
    students: tuple[tuple[int, int], ...]
    teachers: tuple[tuple[int, int], ...]


SIZES = {
    "smoke": Size(
        {"sweep.widths": (8, 12, 16), "sweep.depths": (1,), "sweep.steps": (40, 80, 160), "sweep.seeds": (0, 1),
         "sweep.lr_max_extensions": 0, "train.eval_tokens": 16384},
        0, ((12, 80),), ((8, 40), (16, 160)),
    ),
    "cpu": Size(
        {"sweep.widths": (8, 16, 32), "sweep.steps": (125, 500, 2000), "sweep.lr_max_extensions": 1},
        1, ((8, 500), (16, 500)), ((8, 125), (8, 2000), (16, 500), (16, 2000), (32, 500), (32, 2000)),
    ),
}  # fmt: skip


def train(scale: str, workdir: Path) -> "Iterator[Summary]":
    """The grid without a teacher, then the students of each teacher."""
    from experiments.arms import Arms, baseline, trained
    from experiments.configs import techniques_text
    from scaling_laws.config import replace
    from scaling_laws.sweep import arms
    from scaling_laws.sweep.arms import Cell

    size = SIZES[scale]
    config = replace(techniques_text.get_config(), size.changes)
    grid, (depth,) = baseline(config, size.reach), config.sweep.depths
    students = [Cell(width, depth, steps) for width, steps in size.students]
    taught = [Arms(grid, "distill", students, Cell(width, depth, steps)) for width, steps in size.teachers]
    for one in taught:
        one.check(WEIGHT)
    summary, rows = trained(grid, workdir)
    yield summary
    if summary.interrupted:
        return
    tuned = arms.best(grid, rows)
    for one in taught:
        summaries, _ = one.train(WEIGHT, tuned, rows, workdir)
        yield from summaries
        if summaries[-1].interrupted:
            return
