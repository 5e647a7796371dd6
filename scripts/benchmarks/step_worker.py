"""A worker that times this project's training step, exactly as the training loop calls it. Started by turns.py.

Jobs, one line of JSON each; `changes` are settings of a run, `vocab_size` the size of the vocabulary, `without` the
part that is left out (see REPLACED); programs of a shape are compiled once and stay, but for the job `compile`:

    {"do": "time", ...}      {"seconds": CPU-seconds a step, "loss": of the last step}; one dispatch
    {"do": "compile", ...}   {"seconds": CPU-seconds of tracing and compiling all programs of the shape}
    {"do": "memory", ...}    {"compiled": [bytes by the compiler's account, estimated],
                              "resident": [measured, estimated], or null}
    {"do": "profile", ...}   {"milliseconds": [[part, kind, of a step], ..], "wall": of a step, "cpu": of a step}
    {"do": "product"}        {"flops_per_second": of one product of matrices, the best of several}
"""

import contextlib
import ctypes
import functools
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import optax

from scaling_laws import hyper, spec
from scaling_laws.memory import estimate
from scaling_laws.models import layers
from scaling_laws.train import programs
from scaling_laws.train.functions import DataForms
from scaling_laws.train.layout import Layout
from scaling_laws.train.shape import Shape
from scripts.benchmarks import operations, shapes

CORPUS = 1 << 20  # random tokens: no step depends on what they are
PRODUCT = (4096, 128, 512)
REPEATS = 30
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")

# part -> (where it is looked up, under which name, what stands in for it)
REPLACED: dict[str, tuple[Any, str, Callable]] = {
    "attention": (layers, "attend", lambda q, k, v, scale: v),
    "gelu": (layers.nn, "gelu", jax.nn.relu),
    "norm": (layers.Norm, "__call__", lambda self, x: x),
    "clipping": (optax, "clip_by_global_norm", lambda limit: optax.identity()),
}


class Stepper:
    """The compiled programs of a shape, a state and a corpus; one round is one dispatch."""

    def __init__(self, changes: dict[str, Any], vocab_size: int, without: str):
        self.run = shapes.run_config(changes)
        self.steps = self.run.train.steps_per_dispatch
        began = time.process_time()
        with _left_out(without):
            shape = Shape.of(self.run, spec.text(vocab_size, self.run.task.context))
            blank = {"tokens": np.zeros(CORPUS, np.uint8)}
            self.programs = programs.Programs(shape, Layout.of(self.run), DataForms.of(blank, blank))
            self.compiling = time.process_time() - began
        self.state: Any = None

    def begin(self) -> None:
        """State and corpus onto the device, and one dispatch to warm up."""
        stream = np.random.default_rng(0)
        tokens = {"tokens": stream.integers(0, self.programs.shape.spec.outputs, CORPUS).astype(np.uint8)}
        self.data, _ = self.programs.place_data(tokens, tokens)
        size = (1, self.steps, self.run.train.batch_size)
        self.starts_MxKxB = stream.integers(0, CORPUS - self.run.task.context - 1, size).astype(np.int32)
        self.hyper, self.alive_M = programs.stack([hyper.hyperparameters(self.run)]), np.ones(1, bool)
        self.state = self.programs.place_states([self.programs.initial_state(0)])
        self.round()

    def round(self) -> tuple[float, float]:
        """(CPU-seconds a step, loss of the last step) of one dispatch."""
        began = time.process_time()
        self.state, losses_MxK, *_ = self.programs.advance(
            self.state, self.hyper, self.data, self.starts_MxKxB, self.steps, self.alive_M
        )
        losses = np.asarray(losses_MxK)
        return (time.process_time() - began) / self.steps, float(losses[0, -1])


@contextlib.contextmanager
def _left_out(part: str) -> Iterator[None]:
    """The model without `part` while it is traced. Raises LookupError where nothing asked for that part."""
    if not part:
        yield
        return
    place, name, instead = REPLACED[part]
    calls = []

    @functools.wraps(instead)
    def counted(*given: Any, **named: Any) -> Any:
        calls.append(name)
        return instead(*given, **named)

    if not hasattr(place, name):
        raise LookupError(f"there is no {name} to leave out")
    with mock.patch.object(place, name, counted):
        yield
    if not calls:
        raise LookupError(f"{name} was not asked for")


@functools.cache
def _stepper(changes: str, vocab_size: int, without: str) -> Stepper:
    return Stepper(json.loads(changes), vocab_size, without)


def _of(job: dict[str, Any]) -> Stepper:
    return _stepper(json.dumps(job["changes"]), job["vocab_size"], job.get("without", ""))


def _begun(job: dict[str, Any]) -> Stepper:
    stepper = _of(job)
    if stepper.state is None:
        stepper.begin()
    return stepper


def timed(job: dict[str, Any]) -> dict[str, Any]:
    """One dispatch."""
    seconds, loss = _begun(job).round()
    return {"seconds": seconds, "loss": loss}


def compiled(job: dict[str, Any]) -> dict[str, Any]:
    """What the programs of the shape take to trace and compile, done anew at every call."""
    return {"seconds": Stepper(job["changes"], job["vocab_size"], job.get("without", "")).compiling}


def memory(job: dict[str, Any]) -> dict[str, Any]:
    """Bytes of training, measured and estimated: by the compiler's account, and as the resident set grew."""
    stepper = _of(job)
    estimated = estimate(stepper.run, stepper.programs.shape.spec, stepper.programs.shape.parts, data_bytes=CORPUS)
    account = stepper.programs.advance_program.memory_analysis()
    used = account.argument_size_in_bytes + account.output_size_in_bytes - account.alias_size_in_bytes
    before = _reset_peak()
    stepper.begin()
    resident = None if before is None else _status("VmHWM") - before
    return {
        "compiled": (used + account.temp_size_in_bytes, estimated.total),
        "resident": resident and (resident, estimated.resident),
    }


def _reset_peak() -> int | None:
    """Bytes resident now, the record of the peak begun anew, what compiling has freed given back; None if not Linux."""
    if not CLEAR.exists():
        return None
    with contextlib.suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
    CLEAR.write_text("5")
    return _status("VmRSS")


def _status(name: str) -> int:
    """Bytes of a line of the process' status, which counts in units of 1024."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name + ":"))
    return 1024 * int(line.split()[1])


def profile(job: dict[str, Any]) -> dict[str, Any]:
    """Wall milliseconds a step by part of the model and kind of operation, from a trace of one dispatch."""
    stepper = _begun(job)
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder, create_perfetto_trace=True):
            began = time.perf_counter()
            seconds, _ = stepper.round()
            wall = (time.perf_counter() - began) / stepper.steps
        spent = operations.read_trace(next(Path(folder).rglob("perfetto_trace.json.gz")))
    table = operations.by_kind(spent, operations.instructions(stepper.programs.advance_program.as_text()))
    rows = [[part, kind, milliseconds / stepper.steps] for (part, kind), milliseconds in table.items()]
    return {"milliseconds": rows, "wall": 1e3 * wall, "cpu": 1e3 * seconds}


def product(_: dict[str, Any]) -> dict[str, Any]:
    """FLOP/s of the product of two float32 matrices: the best of several, warm, compiled."""
    multiply, a, b = _operands()
    taken = []
    for _repeat in range(REPEATS):
        began = time.process_time()
        multiply(a, b).block_until_ready()
        taken.append(time.process_time() - began)
    rows, inner, columns = PRODUCT
    return {"flops_per_second": 2 * rows * inner * columns / min(taken)}


@functools.cache
def _operands() -> tuple[Callable, jax.Array, jax.Array]:
    rows, inner, columns = PRODUCT
    a, b = jnp.ones((rows, inner)), jnp.ones((inner, columns))
    multiply = jax.jit(jnp.matmul)
    multiply(a, b).block_until_ready()
    return multiply, a, b


JOBS = {"time": timed, "compile": compiled, "memory": memory, "profile": profile, "product": product}


def main() -> None:
    """Answers jobs from standard input until it ends."""
    say({"device": jax.devices()[0].device_kind, "jax": jax.__version__})
    for line in sys.stdin:
        job = json.loads(line)
        try:
            say(JOBS[job["do"]](job))
        except LookupError as error:
            say({"missing": str(error.args[0])})


def say(answer: dict[str, Any]) -> None:
    """One line to the parent."""
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
