"""An audit of somebody's own runs: which known mistakes they hold, what each moves, and what would settle it.

audit(load("runs.csv", "n_params=N,tokens=D")).findings   # the most severe first
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.audit.examine import DEFAULTS, Audit, audit
    from analysis.audit.findings import Effect, Estimate, Finding, Outcome
    from analysis.audit.proposals import Proposal

__all__ = ["DEFAULTS", "Audit", "Effect", "Estimate", "Finding", "Outcome", "Proposal", "audit"]

_HOMES = {"Effect": "findings", "Estimate": "findings", "Finding": "findings", "Outcome": "findings"}


def __getattr__(name: str) -> Any:
    """The names above, imported when they are asked for: the command line's --help needs none of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "proposals" if name == "Proposal" else _HOMES.get(name, "examine")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)
