"""An ensemble as a row of the runs table: derived from its members' rows, none of it trained anew.

Counts of parameters are those of all members together. D and the compute columns are the first member's, and
`extra_flops` holds what the others took, so that flops + extra_flops is what the ensemble took and the first member's
baseline stands in the same columns; `pretrain_flops` counts each run behind the members once.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from scaling_laws.table import result_columns

Row = dict[str, Any]
PURPOSE = "ensemble"
SUMS = ("n_params", "n_non_embedding", "n_effective", "spikes")
SAME = {"family": "+".join, "width": lambda _: 0, "depth": lambda _: 0, "n_heads": lambda _: 0}  # where they differ
OWN = ("averaged_loss", "averaged_loss_se", "trunk", "good_loss", "bad_step", "budget")  # of a run alone


def identity(settings: Mapping[str, Any]) -> str:
    """16 hexadecimal digits: hash of an ensemble's settings, the members in their order among them."""
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def row(
    kind: str,
    members: Sequence[Mapping[str, Any]],
    found: Mapping[str, Any],
    about: Mapping[str, Any],
    strength: float,
    beside: Sequence[Mapping[str, Any]] = (),
) -> Row:
    """The row of an ensemble of the `kind`, of rows in their order; `found`: its loss and scores; `about`: settings of
    the ensemble beside its members; `beside`: rows of what was trained for it and is no member. Sizes that are not the
    same in all are 0."""
    first = members[0]
    settings = {"kind": kind, "members": [member["run_id"] for member in members], **about}
    said = {f"ensemble.{name}": value for name, value in settings.items()}
    shared = {name: first[name] for name in result_columns() if name not in OWN and first[name] is not None}
    shared |= {name: sum(member[name] for member in members) for name in SUMS}
    for name, unlike in SAME.items():
        values = list(dict.fromkeys(member[name] for member in members))
        shared[name] = values[0] if len(values) == 1 else unlike(values)
    own = "" if first["technique"] == "none" else f"{first['technique']}+"
    return shared | {
        "run_id": identity(settings),
        "status": "finished",
        "reason": "",
        "purpose": PURPOSE,
        "technique": own + ("ensemble" if kind in ("deep", "bagging") else kind),
        "strength": first["strength"] + strength,
        "extra_flops": _extra(members, beside),
        "pretrain_flops": _behind(members),
        "config": json.dumps(json.loads(first["config"]) | said, sort_keys=True),
        **found,
    }


def _extra(members: Sequence[Mapping[str, Any]], beside: Sequence[Mapping[str, Any]]) -> float | None:
    """What all took but the first one's own steps."""
    others = sum(row["flops"] for row in (*members[1:], *beside))
    return (others + sum(row["extra_flops"] or 0.0 for row in (*members, *beside))) or None


def _behind(members: Sequence[Mapping[str, Any]]) -> float | None:
    """What the runs behind the members took: of members with the same source and teacher once."""
    known = {(m["source_run"], m["teacher_run"]): m["pretrain_flops"] for m in members if m["pretrain_flops"]}
    return sum(known.values()) or None
