"""The next experiment: which further runs shrink the interval of a target most per FLOP, by optimal design.

design(runs, options, Wanted(budget=2e13, target="exponent"))   # fits, and chooses; propose() chooses alone
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.design.candidates import Candidates
    from analysis.design.costs import Costs
    from analysis.design.errors import Errors
    from analysis.design.proposal import propose
    from analysis.design.result import NextRuns, Target
    from analysis.design.search import Limits
    from analysis.design.work import Wanted, design

__all__ = ["Candidates", "Costs", "Errors", "Limits", "NextRuns", "Target", "Wanted", "design", "propose"]

HOMES = {
    "analysis.design.candidates": ("Candidates",),
    "analysis.design.costs": ("Costs",),
    "analysis.design.errors": ("Errors",),
    "analysis.design.proposal": ("propose",),
    "analysis.design.result": ("NextRuns", "Target"),
    "analysis.design.search": ("Limits",),
    "analysis.design.work": ("Wanted", "design"),
}


def __getattr__(name: str) -> Any:
    """The package's names, imported when they are asked for: --help needs none of them."""
    import importlib

    for home, names in HOMES.items():
        if name in names:
            return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
