"""A device to plan for, which need not be at hand: `h100,count=8,price=2.5`, or `peak=989e12,memory=80e9`."""

import dataclasses
import math

from scaling_laws.config import ConfigError, nearest

ASSUMED = 0.35  # share of the peak rate, where none is given: what large models reach; small ones reach less


@dataclasses.dataclass(frozen=True)
class Device:
    """`count` devices of a `peak` rate in dense FLOP/s and of `memory` bytes each, of whose peak training reaches the
    share `utilization`; `price` of one for an hour, in any currency, None where it is not known."""

    peak: float
    memory: float
    name: str = ""
    dtype: str = ""  # that the peak is of, where it is one of ours
    utilization: float = ASSUMED
    price: float | None = None
    count: int = 1

    @property
    def rate(self) -> float:
        """Training FLOP/s of one."""
        return self.peak * self.utilization

    def __str__(self) -> str:
        return f"{self.count} x {self.name or 'device'}"


# dense bfloat16 products a second and bytes of memory, as the makers give them; prices are for the user to say
KNOWN = {
    "a100": (312e12, 80e9),  # NVIDIA A100 80GB data sheet (2021): 312 TFLOPS, half of what it says with sparsity
    "h100": (989.4e12, 80e9),  # NVIDIA H100 data sheet (2023), SXM: 1978.9 TFLOPS with sparsity
    "h200": (989.4e12, 141e9),  # NVIDIA H200 data sheet (2024), SXM: likewise
    "tpu_v4": (275e12, 32 * 2**30),  # Google Cloud documentation, TPU v4: 275 TFLOPS a chip, 32 GiB
    "tpu_v5e": (197e12, 16e9),  # TPU v5e: 197 TFLOPS a chip, 16 GB
    "tpu_v5p": (459e12, 95e9),  # TPU v5p: 459 TFLOPS a chip, 95 GB
    "tpu_v6e": (918e12, 32e9),  # TPU v6e: 918 TFLOPS a chip, 32 GB
}
_RANGES = {
    "peak": (1e6, 1e20),
    "memory": (1e6, 1e16),
    "price": (0.0, 1e9),
    "utilization": (1e-6, 1.0),
    "count": (1, 1e6),
}


def parse(text: str) -> Device:
    """The device of `--device`. Raises ConfigError for an unknown name or key, and for a value out of range."""
    given: dict[str, float] = {}
    name = ""
    for part in (part.strip() for part in text.split(",")):
        key, sign, value = (word.strip() for word in part.partition("="))
        if not sign and key in KNOWN and not name:
            name = key
        elif not sign:
            allowed = f"one of {', '.join(KNOWN)}, or peak= and memory="
            raise ConfigError(f"--device: {part!r}; allowed: {allowed}{nearest(key, [*KNOWN, *_RANGES])}")
        elif key not in _RANGES or key in given:
            raise ConfigError(f"--device: {part!r}; allowed: {', '.join(_RANGES)}, each once{nearest(key, _RANGES)}")
        else:
            given[key] = _number(key, value)
    if not name and not {"peak", "memory"} <= given.keys():
        missing = next(key for key in ("peak", "memory") if key not in given)
        raise ConfigError(f"--device: no {missing}; allowed: one of {', '.join(KNOWN)}, or peak= and memory=")
    if name:
        peak, memory = KNOWN[name]
        given = {"peak": peak, "memory": memory} | given
    own = name if name and given["peak"] == KNOWN[name][0] else ""
    count = int(given.pop("count", 1))
    return Device(name=name, dtype="bfloat16" if own else "", count=count, **given)


def _number(key: str, value: str) -> float:
    low, high = _RANGES[key]
    try:
        found = float(value)
    except ValueError:
        found = math.nan
    if not low <= found <= high or (key == "count" and found != int(found)):
        kind = "a whole number" if key == "count" else "a number"
        raise ConfigError(f"--device: {key}={value}; allowed: {kind}, {low:g} to {high:g}")
    return found
