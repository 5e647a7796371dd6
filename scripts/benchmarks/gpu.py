"""Training on one accelerator: model-FLOP utilisation of larger models, and what a pack of small ones gains.

    scripts/bench gpu                        on the first accelerator; without one every row says `not measured`
    scripts/bench gpu --only=packs           some of: large, medium, packs
    scripts/bench gpu --on_cpu               the same code on a CPU and far smaller shapes, to see that it runs

Utilisation is the counted FLOPs of the dense products (scaling_laws.compute) over the seconds, against the rate of one
large bfloat16 product measured in the same run. Every row lists what was tried.
"""

import dataclasses
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from absl import flags

from analysis import cli
from scaling_laws import families, spec
from scaling_laws.config import RunConfig, replace
from scripts.benchmarks.report import Row, lines, progress, write
from scripts.benchmarks.train import chosen

STEPS, ROUNDS = 10, 5
MEMBERS, GAIN = 32, 15.0


@dataclasses.dataclass(frozen=True)
class Model:
    """A model to measure: its settings, vocabulary, the settings tried one by one, and the bar."""

    name: str
    settings: dict[str, Any]
    vocab_size: int
    tried: tuple[dict[str, Any], ...]
    bar: float


BATCHES = tuple({"train.batch_size": size} for size in (8, 16, 32, 64))
LARGE = Model(
    "124M parameters (width 768, depth 12, context 1024, bfloat16)",
    {"model.width": 768, "model.depth": 12, "model.n_heads": 12, "task.context": 1024, "model.dtype": "bfloat16"},
    50304,
    tuple({"model.layers": layers, **batch} for layers in ("unrolled", "scanned") for batch in BATCHES),
    0.5,
)
MEDIUM = Model(
    "10M parameters (width 256, depth 8, context 512, bfloat16)",
    {"model.width": 256, "model.depth": 8, "model.n_heads": 4, "task.context": 512, "model.dtype": "bfloat16"},
    8192,
    tuple({"model.layers": "unrolled", **batch} for batch in (*BATCHES, {"train.batch_size": 128})),
    0.3,
)
SMALL = {
    "model.width": 48,
    "model.depth": 3,
    "model.n_heads": 3,
    "task.context": 128,
    "train.batch_size": 16,
    "model.dtype": "bfloat16",
}
ON_CPU = {"model.width": 16, "model.depth": 1, "model.n_heads": 2, "task.context": 16, "train.batch_size": 2}


def run() -> None:
    """Runs the sections and prints their table. Raises ConfigError for a section that does not exist."""
    names = chosen("only", flags.FLAGS.only, SECTIONS)
    rows = [row for name in names for row in SECTIONS[name]()]
    print("\n".join([f"device: {_device()}", *lines(rows)]))
    if flags.FLAGS.out:
        write(rows, Path(flags.FLAGS.out))


def _device() -> str:
    import jax

    return f"{jax.devices()[0].device_kind} x {jax.device_count()}, jax {jax.__version__}"


def measurable() -> bool:
    """Whether there is an accelerator, or the CPU is to stand in for it."""
    import jax

    return flags.FLAGS.on_cpu or jax.default_backend() != "cpu"


def product_rate(size: int) -> float:
    """FLOP/s of one (size x size) bfloat16 product, the best of several."""
    import jax
    import jax.numpy as jnp

    square = jnp.ones((size, size), jnp.bfloat16)
    product = jax.jit(lambda a: a @ a).lower(square).compile()
    best = min(_seconds(lambda: product(square)) for _ in range(10))
    return 2 * size**3 / best


def _seconds(action: Callable[[], Any]) -> float:
    import jax

    began = time.perf_counter()
    jax.block_until_ready(action())
    return time.perf_counter() - began


def step_seconds(run: RunConfig, vocab_size: int, members: int, strategy: str) -> float:
    """Median seconds of one optimiser step of a pack on random tokens, compiling left out."""
    import jax
    import numpy as np

    from scaling_laws import hyper as numbers
    from scaling_laws.train.functions import DataForms
    from scaling_laws.train.layout import Layout
    from scaling_laws.train.programs import Programs, stack
    from scaling_laws.train.shape import Shape

    rng, length = np.random.default_rng(0), 1 << 20
    text = {"tokens": rng.integers(0, vocab_size, length).astype(np.uint16)}
    shape = Shape.of(run, spec.text(vocab_size, run.task.context))
    programs = Programs(shape, Layout(members, strategy), DataForms.of(text, text))
    data, _ = programs.place_data(text, text)
    state = programs.place_states([programs.initial_state(seed) for seed in range(members)])
    hyper, alive = stack([numbers.hyperparameters(run)] * members), np.ones(members, bool)
    size = (members, STEPS, run.train.batch_size)
    starts = rng.integers(0, length - run.task.context - 1, size).astype(np.int32)
    found = []
    for _ in range(1 + ROUNDS):
        began = time.perf_counter()
        state, losses, *_ = programs.advance(state, hyper, data, starts, STEPS, alive)
        jax.block_until_ready((state, losses))
        found.append((time.perf_counter() - began) / STEPS)
    return statistics.median(found[1:])


def utilisation(model: Model) -> Iterator[Row]:
    """The best share of the card's own product rate over what was tried."""
    bar = f">= {model.bar:.0%} of the product rate"
    if not measurable():
        yield Row(model.name, bar, "not measured: no accelerator here")
        return
    rate, tried = product_rate(128 if flags.FLAGS.on_cpu else 8192), []
    for changes in model.tried[:1] if flags.FLAGS.on_cpu else model.tried:
        run = replace(RunConfig(), model.settings | {"train.steps_per_dispatch": STEPS} | changes)
        run = replace(run, ON_CPU) if flags.FLAGS.on_cpu else run
        counts = families.count(run.model, spec.text(model.vocab_size, run.task.context))
        seconds = _tried(lambda run=run: step_seconds(run, model.vocab_size, 1, "map"))
        tokens = run.train.batch_size * run.task.context
        share = counts.flops_per_token * tokens / seconds / rate if seconds else None
        tried.append({**changes, "n_params": counts.n_params, "seconds": seconds, "utilisation": share})
        progress(f"{model.name}: {changes}: " + (f"{share:.1%}" if share else "does not fit"))
    best = max((each["utilisation"] or 0.0 for each in tried), default=0.0)
    measured = f"{best:.1%} of {rate / 1e12:.3g} TFLOP/s, the best of {len(tried)}"
    yield Row(model.name, bar, measured, best >= model.bar, {"tried": tried, "product_rate": rate})


def _tried(action: Callable[[], float]) -> float | None:
    """The figure, or None where the device's memory does not hold it."""
    import jax

    try:
        return action()
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return None


def packs() -> Iterator[Row]:
    """Throughput of a pack of small models over that of one at a time."""
    name, bar = f"a pack of {MEMBERS} models of 100k parameters over one at a time", f">= {GAIN:g} times"
    if not measurable():
        yield Row(name, bar, "not measured: no accelerator here")
        return
    run = replace(RunConfig(), SMALL | {"train.steps_per_dispatch": STEPS} | (ON_CPU if flags.FLAGS.on_cpu else {}))
    members = 2 if flags.FLAGS.on_cpu else MEMBERS
    alone, found = step_seconds(run, 256, 1, "map"), {}
    for strategy in ("vmap", "map"):
        seconds = step_seconds(run, 256, members, strategy)
        found[strategy] = members * alone / seconds
        progress(f"{name}: {strategy}: {found[strategy]:.3g} times")
    best = max(found, key=lambda strategy: found[strategy])
    measured = ", ".join(f"{strategy} {gain:.3g} times" for strategy, gain in found.items())
    yield Row(name, bar, measured, found[best] >= GAIN, {"step_seconds_alone": alone, **found})


SECTIONS: dict[str, Callable[[], Iterator[Row]]] = {
    "large": lambda: utilisation(LARGE),
    "medium": lambda: utilisation(MEDIUM),
    "packs": packs,
}


def define_flags() -> None:
    """The flags of this benchmark."""
    flags.DEFINE_string("only", None, "sections to run, separated by commas; default: all")
    flags.DEFINE_bool("on_cpu", False, "exercise the code on a CPU, on shapes of no interest")
    flags.DEFINE_string("out", None, "JSON file to write")


if __name__ == "__main__":
    define_flags()
    cli.main(run)
