"""What a technique is worth beside a baseline, in parameters, in data and in compute, with joint intervals.

`worth(load_runs(path))` compares every arm of a table with the law fitted to its baseline. What a published law of a
technique says once it is fitted: `fit(runs, law="sparsity").multiplier(density=0.5)`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.technique.comparison import load_runs, worth
    from analysis.technique.result import Arm, Estimate, Worth

__all__ = ["Arm", "Estimate", "Worth", "load_runs", "worth"]

HOMES = {
    "analysis.technique.comparison": ("load_runs", "worth"),
    "analysis.technique.result": ("Arm", "Estimate", "Worth"),
}


def __getattr__(name: str) -> Any:
    """The package's names, imported when they are asked for: --help needs none of them."""
    import importlib

    for home, names in HOMES.items():
        if name in names:
            return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
