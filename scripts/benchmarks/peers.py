"""Our training step against PyTorch, eager, and against the machine's own rate of matrix products, in alternation.

Everything is counted in CPU-seconds of one thread on one core: a tokens-per-second of two threads would measure how
the machine is shared.
"""

import contextlib
import dataclasses
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from scaling_laws.config import ConfigError
from scripts.benchmarks.measure import spread
from scripts.benchmarks.report import Row, progress
from scripts.benchmarks.shapes import REFERENCES, Reference, changes
from scripts.benchmarks.turns import Partner, our_worker

TORCH_PEER = Path(__file__).with_name("torch_peer.py")
CPUINFO = Path("/proc/cpuinfo")
PRODUCT_SHARE = 0.6
FASTER = {"small": 1.0, "tiny": 1.3, "micro": 3.0}  # than PyTorch
AIM = {"small": " (1.25 aimed at)"}
NO_TORCH = "not measured: torch is not installed"


@dataclasses.dataclass(frozen=True)
class Rounds:
    """What alternating rounds of a shape took: CPU-seconds a step of both sides, FLOP/s of the product."""

    ours: tuple[float, ...]
    product: tuple[float, ...]
    torch: tuple[float, ...] = ()
    attention: str = ""  # which of the peer's two


def rows(names: Iterable[str], rounds: int, torch_python: str | None) -> list[Row]:
    """The rows of each shape. Raises ConfigError where `torch_python` cannot be run."""
    python = torch_python or sys.executable
    version = torch_version(python)
    peer = Partner((python, "-I", str(TORCH_PEER))) if version else contextlib.nullcontext()
    with our_worker() as ours, peer as theirs:
        said = f"{processor()}, JAX {ours.hello['jax']}, PyTorch {version or 'none'}"
        found = [Row("measured on", "", said, None, {**ours.hello, "torch": version})]
        for name in names:
            found += _rows(name, _alternate(name, rounds, ours, theirs))
    return found


def processor() -> str:
    """The model of the processor, as far as the system tells."""
    lines = CPUINFO.read_text().splitlines() if CPUINFO.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def torch_version(python: str) -> str:
    """The version of PyTorch that the interpreter `python` imports, or nothing. Raises ConfigError if there is none."""
    words = (python, "-I", "-c", "import torch; print(torch.__version__)")
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except OSError as error:
        reason = f"--torch_python: {python!r} cannot be run ({error.strerror}); allowed: an interpreter"
        raise ConfigError(reason) from None
    return done.stdout.strip() if done.returncode == 0 else ""


def _alternate(name: str, rounds: int, ours: Partner, theirs: Partner | None) -> Rounds:
    reference = REFERENCES[name]
    seconds, products, answers = [], [], []
    for index in range(rounds + 1):  # the first warms both sides up
        took = ours.ask(do="time", changes=changes(reference), vocab_size=reference.vocab_size)["seconds"]
        rate = ours.ask(do="product")["flops_per_second"]
        answer = theirs.ask(**_torch_job(reference)) if theirs else {}
        if index:
            seconds.append(took)
            products.append(rate)
            answers.append(answer)
            said = f", PyTorch {1e3 * min(answer['fused'], answer['plain']):.4g} ms" if answer else ""
            progress(f"{name}, round {index}: {1e3 * took:.4g} ms a step, product {rate / 1e9:.1f} GFLOP/s{said}")
    attention, torch = faster(answers) if theirs else ("", ())
    return Rounds(tuple(seconds), tuple(products), torch, attention)


def _torch_job(reference: Reference) -> dict[str, Any]:
    names = ("width", "depth", "n_heads", "vocab_size", "context", "batch_size")
    return {name: getattr(reference, name) for name in names} | {"steps": reference.peer_steps}


def faster(answers: Sequence[dict[str, float]]) -> tuple[str, tuple[float, ...]]:
    """The peer's attention with the smaller median, `fused` or `plain`, and its seconds."""
    sides = {kind: tuple(answer[kind] for answer in answers) for kind in ("fused", "plain")}
    best = min(sides, key=lambda kind: statistics.median(sides[kind]))
    return best, sides[best]


def ratios(above: Iterable[float], below: Iterable[float]) -> list[float]:
    """Pair by pair, `above` over `below`."""
    return [a / b for a, b in zip(above, below, strict=True)]


def between(values: Iterable[float], form: str, unit: str = "") -> str:
    """`median unit (least to greatest)`, each in the format `form`."""
    middle, low, high = (format(value, form) for value in spread(values))
    return f"{middle}{unit} ({low} to {high})"


def _rows(name: str, rounds: Rounds) -> list[Row]:
    return [_ours(name, rounds), *_share(name, rounds), *_torch(name, rounds)]


def _ours(name: str, rounds: Rounds) -> Row:
    rates = ratios([REFERENCES[name].tokens] * len(rounds.ours), rounds.ours)
    values = {"seconds": rounds.ours, "tokens_per_second": rates}
    return Row(f"{name}: tokens per CPU-second", "", between(rates, ",.0f"), None, values)


def _share(name: str, rounds: Rounds) -> list[Row]:
    flops = REFERENCES[name].flops
    if flops is None:
        return []
    rates = ratios([flops] * len(rounds.ours), rounds.ours)
    shares = ratios(rates, rounds.product)
    measured = f"{between(shares, '.2f')}: {statistics.median(rates) / 1e9:.1f} GFLOP/s"
    measured += f" of {between([rate / 1e9 for rate in rounds.product], '.1f')}"
    values = {"shares": shares, "flops_per_second": rates, "product": rounds.product}
    met = statistics.median(shares) >= PRODUCT_SHARE
    return [Row(f"{name}: share of a product's rate", f">= {PRODUCT_SHARE:g}", measured, met, values)]


def _torch(name: str, rounds: Rounds) -> list[Row]:
    what, bar = f"{name}: times PyTorch, eager", FASTER[name]
    text = f"{'>' if bar == 1 else '>='} {bar:g}{AIM.get(name, '')}"
    if not rounds.torch:
        return [Row(what, text, NO_TORCH)]
    pairs = ratios(rounds.torch, rounds.ours)
    theirs = ratios([REFERENCES[name].tokens] * len(rounds.torch), rounds.torch)
    middle = statistics.median(pairs)
    values = {"ratios": pairs, "torch_seconds": rounds.torch, "attention": rounds.attention}
    measured = between(pairs, ".2f")
    peer = Row(f"{name}: PyTorch's, {rounds.attention} attention", "", between(theirs, ",.0f"), None, values)
    return [peer, Row(what, text, measured, middle > bar if bar == 1 else middle >= bar, values)]
