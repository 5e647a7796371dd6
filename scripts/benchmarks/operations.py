"""Which kinds of operation a compiled program spends its time on: a profiler's trace joined with the program's text.

A trace names the instruction that ran, the text says what that instruction is and which line of the model it came from.
"""

import collections
import dataclasses
import gzip
import json
import re
from collections.abc import Mapping
from pathlib import Path

CONTAINERS = ("while", "call", "conditional", "async-start", "async-done")  # their parts are counted themselves
MOVING = ("transpose", "copy", "concatenate", "reshape", "slice", "broadcast", "pad")
LOOKING_UP = ("gather", "scatter", "dynamic-slice", "dynamic-update-slice")

_HEADER = re.compile(r"\s*(?:ENTRY )?%?([\w.\-]+) \(.*\{$")
_INSTRUCTION = re.compile(r"\s*(?:ROOT )?%?([\w.\-]+) = (\(.*?\)|\S+) ([\w\-]+)\(")
_CALLS = re.compile(r"(?:calls|to_apply)=%?([\w.\-]+)")
_ORIGIN = re.compile(r'op_name="([^"]*)"')


@dataclasses.dataclass(frozen=True)
class Instruction:
    """An instruction: rank of its result (of the first, of several), opcodes it stands for, and where it is from."""

    opcode: str
    rank: int
    inside: frozenset[str]
    origin: str

    @property
    def kind(self) -> str:
        """The kind of operation; products apart by forward and backward pass."""
        if "dot" in self.inside:
            batched = "attention products" if self.rank > 2 else "dense products"
            return f"{batched}, {'backward' if 'transpose(' in self.origin else 'forward'}"
        if self.inside & {"reduce", "reduce-window"}:
            return "reductions"
        if self.inside & set(LOOKING_UP):
            return "look-ups"
        arithmetic = self.inside - {*MOVING, "parameter", "constant", "bitcast", "tuple", "get-tuple-element", "fusion"}
        return "elementwise" if arithmetic else "transposes and copies"

    @property
    def part(self) -> str:
        """The part of the step, by the scopes of the model that the instruction was traced in."""
        scopes = self.origin.split("/")
        if not any("jvp(" in scope for scope in scopes):
            return "optimiser" if self.origin else "unnamed"
        for part in ("attention", "mlp", "embed"):
            if any(scope.split(".")[-1] == part for scope in scopes):
                return part
        if any(scope.endswith("_norm") for scope in scopes):
            return "norms"
        return "residual stream" if any("blocks" in scope for scope in scopes) else "head and loss"


def instructions(text: str) -> dict[str, Instruction]:
    """Name -> instruction of a compiled program, from its HLO text."""
    computations: dict[str, set[str]] = collections.defaultdict(set)
    found: dict[str, tuple[str, str, str]] = {}
    current = ""
    for line in text.splitlines():
        if header := _HEADER.match(line):
            current = header[1]
        elif match := _INSTRUCTION.match(line):
            name, shape, opcode = match.groups()
            found[name] = shape, opcode, line
            computations[current].add(opcode)
    return {name: _instruction(*facts, computations) for name, facts in found.items()}


def _instruction(shape: str, opcode: str, line: str, computations: Mapping[str, set[str]]) -> Instruction:
    called = _CALLS.search(line)
    inside = computations.get(called[1], set()) if called and opcode == "fusion" else set()
    first = re.search(r"\[([\d,]*)\]", shape)
    rank = len(first[1].split(",")) if first and first[1] else 0
    origin = _ORIGIN.search(line)
    return Instruction(opcode, rank, frozenset({opcode, *inside}), origin[1] if origin else "")


def read_trace(path: Path) -> dict[str, float]:
    """Name of an event -> milliseconds in all, from a perfetto trace (gzipped JSON, durations in microseconds)."""
    spent: dict[str, float] = collections.defaultdict(float)
    with gzip.open(path, "rt") as file:
        for event in json.load(file)["traceEvents"]:
            if event.get("ph") == "X":
                spent[event["name"]] += event.get("dur", 0.0) / 1e3
    return dict(spent)


def by_kind(spent: Mapping[str, float], program: Mapping[str, Instruction]) -> dict[tuple[str, str], float]:
    """(part, kind) -> milliseconds, the longest first, without events that are no instruction or only hold others."""
    table: dict[tuple[str, str], float] = collections.defaultdict(float)
    for name, milliseconds in spent.items():
        instruction = program.get(name)
        if instruction and instruction.opcode not in CONTAINERS:
            table[instruction.part, instruction.kind] += milliseconds
    return dict(sorted(table.items(), key=lambda entry: -entry[1]))
