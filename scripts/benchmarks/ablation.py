"""What each part of the training step costs at the reference shape "small": parts left out, and a profile by kind.

A part left out takes with it what XLA had fused into it, and a profile charges each instruction to the part that it
was named after: the two need not agree to the millisecond.
"""

import dataclasses
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.figures.style import csv_bytes, write_atomically
from scripts.benchmarks.peers import between, ratios
from scripts.benchmarks.report import Row, progress
from scripts.benchmarks.shapes import REFERENCES, changes
from scripts.benchmarks.turns import Partner, our_worker

SMALL = REFERENCES["small"]
STEPS = 5  # a dispatch


@dataclasses.dataclass(frozen=True)
class Variant:
    """The step with one thing changed: settings of the run, the vocabulary, or a part left out of the model."""

    name: str
    changes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    without: str = ""
    vocab_size: int = SMALL.vocab_size

    def job(self) -> dict[str, Any]:
        """What the worker is asked for."""
        settings = changes(SMALL) | {"train.steps_per_dispatch": STEPS} | dict(self.changes)
        return {"changes": settings, "vocab_size": self.vocab_size, "without": self.without}


WHOLE = Variant("as it is")
VARIANTS = (
    Variant("no attention, values alone", without="attention"),
    Variant("learned positions, no rotation", {"model.positions": "learned"}),
    Variant("one head", {"model.n_heads": 1}),
    Variant("half the context, twice the batch", {"task.context": 64, "train.batch_size": 64}),
    Variant("relu for gelu", without="gelu"),
    Variant("feed-forward branch of two widths", {"model.mlp_ratio": 2.0}),
    Variant("no norms", without="norm"),
    Variant("one layer fewer", {"model.depth": SMALL.depth - 1}),
    Variant("a vocabulary of 64", vocab_size=64),
    Variant("SGD for AdamW", {"optimizer.name": "sgd"}),
    Variant("no clipping", without="clipping"),
)


def rows(rounds: int, folder: Path) -> list[Row]:
    """A row a variant and a row a kind of operation; both tables also as CSV in `folder`."""
    with our_worker() as worker:
        parts, table = _parts(worker, rounds)
        kinds, entries = _kinds(worker)
    for name, found in (("ablation", table), ("operations", entries)):
        write_atomically(folder / f"{name}.csv", csv_bytes(found, tuple(found[0])))
    return parts + kinds


def _parts(worker: Partner, rounds: int) -> tuple[list[Row], list[dict[str, object]]]:
    missing: dict[str, str] = {}
    for variant in (WHOLE, *VARIANTS):
        progress(f"compiling: {variant.name}")
        answer = worker.ask(do="time", **variant.job())
        if "missing" in answer:
            missing[variant.name] = answer["missing"]
    measured = [variant for variant in (WHOLE, *VARIANTS) if variant.name not in missing]
    taken: dict[str, list[float]] = {variant.name: [] for variant in measured}
    for index in range(rounds):
        progress(f"ablation, round {index + 1} of {rounds}")
        for variant in measured:
            taken[variant.name].append(1e3 * worker.ask(do="time", **variant.job())["seconds"])
    table = [saving(name, milliseconds, taken[WHOLE.name]) for name, milliseconds in taken.items()]
    made = [_row(entry, taken[str(entry["variant"])]) for entry in table]
    return made + [Row(f"small, {name}", "", f"not measured: {why}") for name, why in missing.items()], table


def saving(name: str, milliseconds: list[float], whole: list[float]) -> dict[str, object]:
    """An entry of the table: median of a step, and of what it saves, pair by pair, as a share of the whole step."""
    shares = [1 - ratio for ratio in ratios(milliseconds, whole)]
    return {
        "variant": name,
        "milliseconds": statistics.median(milliseconds),
        "saves": statistics.median(shares),
        "least": min(shares),
        "greatest": max(shares),
    }


def _row(entry: dict[str, Any], milliseconds: list[float]) -> Row:
    measured = between(milliseconds, ".1f", " ms")
    if entry["variant"] != WHOLE.name:
        measured += f", saves {entry['saves']:.1%} ({entry['least']:.1%} to {entry['greatest']:.1%})"
    return Row(f"small, {entry['variant']}", "", measured, None, {**entry, "rounds": milliseconds})


def _kinds(worker: Partner) -> tuple[list[Row], list[dict[str, object]]]:
    """The profile: a row a kind of operation, a row a part of the model; the table has kind by part."""
    progress("profile of one dispatch")
    answer = worker.ask(do="profile", **WHOLE.job())
    entries = shares(answer)
    found = [_share(f"kind: {kind}", parts) for kind, parts in grouped(entries, "kind", "part").items()]
    found += [_share(f"part: {part}", kinds) for part, kinds in grouped(entries, "part", "kind").items()]
    named = sum(entry["share"] for entry in entries)
    measured = f"{named:.1%} of a step of {answer['cpu']:.1f} ms (CPU), {answer['wall']:.1f} ms (wall) is in the table"
    return [*found, Row("small, profile", "", measured, None, {"share": named, **answer})], entries


def shares(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Entries of the profile as shares of the step.

    A trace is written in wall time, so on a machine with busy neighbours its milliseconds are longer than the step's
    CPU time; shares of the same wall time are not.
    """
    return [
        {"part": part, "kind": kind, "share": value / answer["wall"]} for part, kind, value in answer["milliseconds"]
    ]


def grouped(entries: list[dict[str, Any]], by: str, within: str) -> dict[str, dict[str, float]]:
    """Shares by `by` and then by `within`, the greatest first in both."""
    table: dict[str, dict[str, float]] = {}
    for entry in sorted(entries, key=lambda entry: -entry["share"]):
        table.setdefault(entry[by], {})[entry[within]] = entry["share"]
    return dict(sorted(table.items(), key=lambda group: -sum(group[1].values())))


def _share(name: str, parts: dict[str, float]) -> Row:
    each = ", ".join(f"{part} {share:.1%}" for part, share in parts.items() if share >= 0.0005)
    return Row(f"small, {name}", "", f"{sum(parts.values()):.1%}" + (f": {each}" if each else ""), None, parts)
