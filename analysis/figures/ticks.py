"""Where axes carry numbers, and how the numbers are written."""

import math

import numpy as np

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
NEAREST = 0.1  # of a log axis: round numbers on it that are nearer crowd each other
PREFIXES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


def padded(values: np.ndarray, log: bool, share: float = 0.04) -> tuple[float, float]:
    """Ends of an axis that holds the finite (on a log axis: positive) values, with a margin on both sides."""
    values = np.asarray(values, float)
    values = values[np.isfinite(values) & ((values > 0) | (not log))]
    if not len(values):
        return (1.0, 10.0) if log else (0.0, 1.0)
    low, high = float(values.min()), float(values.max())
    if log:
        low, high = math.log(low), math.log(high)
    margin = (high - low) * share or (0.5 if log else abs(low) * 0.1 or 1.0)
    low, high = low - margin, high + margin
    return (math.exp(low), math.exp(high)) if log else (low, high)


def labelled(low: float, high: float, *, log: bool, si: bool, count: int = 6) -> tuple[tuple[float, str], ...]:
    """(place, text) of about `count` ticks between `low` and `high`.

    A log axis gets powers of ten, 1-2-5 steps, or, below about a decade, evenly spaced round numbers.
    """
    places = log_places(low, high) if log else []
    if len(places) < 3:
        places = linear_places(low, high, count)
        places = _apart(places, NEAREST * math.log(high / low)) if log else places
    return tuple((place, write(place, si)) for place in places)


def _apart(places: list[float], least: float) -> list[float]:
    """Ascending places, without those nearer in ln than `least` to one before."""
    kept: list[float] = []
    for place in places:
        if not kept or math.log(place / kept[-1]) >= least:
            kept.append(place)
    return kept


def log_places(low: float, high: float) -> list[float]:
    """Powers of ten, or 1-3 or 1-2-5 times them, by how many decades there are; none below 0.85 decades."""
    decades = math.log10(high / low)
    if decades < 0.85:
        return []
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = (1.0,) if decades > 3.2 else (1.0, 3.0) if decades > 2 else (1.0, 2.0, 5.0)
    stride = max(1, math.ceil(decades / 8))
    places = [step * 10.0**power for power in range(first, last + 1, stride) for step in steps]
    return [place for place in places if low <= place <= high]


def linear_places(low: float, high: float, count: int = 6) -> list[float]:
    """Multiples of 1, 2, 2.5 or 5 times a power of ten: about `count` of them."""
    if not high > low:
        return [low]
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * 0.999)
    return [float(f"{k * step:.10g}") for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def write(value: float, si: bool = False) -> str:
    """A number as a person reads it: 33k with `si`, 2·10¹¹ when large or small, else plain."""
    size = abs(value)
    if si and size >= 1e3 and size < 1e15:
        factor, prefix = next(pair for pair in PREFIXES if size >= pair[0])
        return f"{value / factor:.3g}{prefix}"
    if size and (size >= 1e5 or size < 1e-3):
        mantissa, power = f"{value:.2e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".")
        ten = "10" + str(int(power)).translate(SUPERSCRIPTS)
        return ten if mantissa == "1" else f"{mantissa}·{ten}"
    return f"{value:,.0f}".replace(",", "\u202f") if size >= 1e4 else f"{value:.4g}"
