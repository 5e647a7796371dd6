"""The cases whose exponents theory knows, each in a folder of its own: at smoke scale the cheap ones by two seeds (each
size of the power-law features is a program to compile), at cpu scale all that `experiments.known_exponents` has, six
minutes on two cores."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scaling_laws.sweep.summary import Summary

NAMES = {"smoke": ("zipf_examples", "ridge_sizes"), "cpu": ()}
SEEDS = {"smoke": 2, "cpu": 16}


def train(scale: str, workdir: Path) -> "Iterator[Summary]":
    """Every case of a scale, one after the other."""
    from experiments.known.cases import cases
    from experiments.known.work import do

    for case in cases(NAMES[scale], SEEDS[scale]):
        summary = do(case, {}, workdir / case.name)
        if summary is not None:
            yield summary
            if summary.interrupted:
                return
