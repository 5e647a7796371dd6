"""What is trained or solved for a case, as far as its folder lacks it."""

from pathlib import Path
from typing import TYPE_CHECKING

from experiments.known import ridge
from experiments.known.cases import Case, Ridge
from scaling_laws.config import replace

if TYPE_CHECKING:
    from scaling_laws.sweep.summary import Summary


def do(case: Case, changes: dict[str, object], workdir: Path) -> "Summary | None":
    """Train the case's sweep under `changes`, or solve its fits; None where nothing is trained."""
    from scaling_laws.sweep import study

    if isinstance(case.work, Ridge):
        ridge.solve(case.work, workdir)
        return None
    return study.run_sweep(replace(case.work, changes), workdir).summary
