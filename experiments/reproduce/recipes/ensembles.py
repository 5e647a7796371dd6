"""Deep ensembles of perceptrons on handwritten digits (`experiments.ensemble`): more members of one width, and members
that share the parameters of one wider network. A minute on two cores at cpu scale."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scaling_laws.sweep.summary import Summary


@dataclasses.dataclass(frozen=True)
class Part:
    """Ensembles of so many members beside runs of the changed recipe; `split`: those of N / K parameters too."""

    changes: dict[str, Any]
    members: tuple[int, ...]
    split: bool = False


FEW = {"sweep.seeds": (0, 1, 2, 3)}
PARTS = {
    "smoke": (
        Part(FEW | {"sweep.steps": (200,)}, (1, 2, 4)),
        Part(FEW | {"sweep.steps": (200,), "model.width": 32}, (1, 2), True),
    ),
    "cpu": (Part({}, (1, 2, 4, 8)), Part(FEW | {"model.width": 64}, (1, 2, 4), True)),
}


def train(scale: str, workdir: Path) -> "Iterator[Summary]":
    """Members and the rows of their ensembles, all in one table."""
    from experiments.configs import ensemble
    from experiments.ensembles import study
    from scaling_laws.config import replace

    for part in PARTS[scale]:
        config = replace(ensemble.get_config(), part.changes)
        asked = study.Asked(sizes=part.members, split=part.split)
        summaries, _ = study.ensembles(config, workdir, asked)
        yield from summaries
        if summaries[-1].interrupted:
            return
