"""What a model must know of a task: what an example looks like, and what is predicted of it. No JAX here."""

import dataclasses
from collections.abc import Mapping
from typing import Any

KINDS = ("tokens", "vector", "image", "pair", "index", "noise")
SOURCES = ("windows", "examples", "stream")
COUNTED = ("inputs", "shape", "outputs", "loss", "sizes", "targets", "source")  # what a run's counts depend on
LOSSES = ("cross_entropy", "squared_error")
STREAM_LENGTH = 2**31 - 1  # examples of a stream: their numbers are int32


@dataclasses.dataclass(frozen=True)
class Spec:
    """The form of a task's examples.

    `inputs`: `tokens` (whole numbers below `sizes[0]`), `vector` (numbers), `image` (height, width, channels), `pair`
    (two whole numbers, below `sizes[0]` and `sizes[1]`), `index` (one, below `sizes[0]`) or `noise` (nothing but a
    random key). `shape`: of one example. `outputs`: classes told apart, or numbers predicted. `targets`: what an
    example has to predict, each of them a "token" of the compute accounting: every place of a window of text, else 1.
    `source`: where examples come from: `windows` of one long text, a table of `examples`, or a `stream` that never
    repeats, drawn in the compiled step by the generator `stream` (`tasks.streams`). `numbers`: what a model must know
    of a law beside.
    """

    inputs: str
    shape: tuple[int, ...]
    outputs: int
    loss: str = "cross_entropy"
    sizes: tuple[int, ...] = ()
    targets: int = 1
    source: str = "examples"
    stream: str = ""
    numbers: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name, allowed in (("inputs", KINDS), ("source", SOURCES), ("loss", LOSSES)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}: {getattr(self, name)!r}; allowed: {', '.join(allowed)}")

    @property
    def is_classification(self) -> bool:
        """Whether a target is a class, not a number."""
        return self.loss == "cross_entropy"

    @property
    def features(self) -> int:
        """Numbers of one example, laid out in a row."""
        size = 1
        for length in self.shape:
            size *= length
        return size


def text(vocab_size: int, context: int) -> Spec:
    """Next-token prediction over windows of `context` tokens."""
    return Spec("tokens", (context,), vocab_size, sizes=(vocab_size,), targets=context, source="windows")


def as_settings(spec: Spec) -> dict[str, Any]:
    """What a model's counts need of it, as settings `spec.inputs` and so on, beside a run's own in its log."""
    plain = {name: getattr(spec, name) for name in COUNTED}
    return {f"spec.{k}": ",".join(map(str, v)) if isinstance(v, tuple) else v for k, v in plain.items()}


def of_settings(settings: Mapping[str, Any]) -> Spec:
    """The other way round, of a log's floats and texts. Raises ValueError where they are none, KeyError for a gap."""
    given: dict[str, Any] = {name: settings[f"spec.{name}"] for name in COUNTED}
    for name in ("shape", "sizes"):
        given[name] = tuple(int(number) for number in filter(None, str(given[name]).split(",")))
    given |= {name: int(given[name]) for name in ("outputs", "targets")}
    return Spec(**given)
