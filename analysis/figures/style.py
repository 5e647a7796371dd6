"""Colours and type of every figure, in one place, and the atomic writers."""

import csv
import io
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

# Sequential and readable by people who see few colours: viridis without its palest end, which white paper swallows.
# The dark scheme leaves out the darkest end instead.
LIGHT_STOPS = ("#440154", "#472c7a", "#3b518b", "#2c718e", "#21908d", "#27ad81", "#5cc863", "#9ac93b")
DARK_STOPS = ("#5b63a8", "#3f7fa6", "#2f99a0", "#2bb38c", "#58cc66", "#93d741", "#cfe11c", "#fde725")

# Okabe and Ito's colours, told apart by all common kinds of colour blindness; (light scheme, dark scheme).
ROLES: Mapping[str, tuple[str, str]] = {
    "ink": ("#333333", "#d8d8d8"),
    "muted": ("#9a9a9a", "#7d8590"),
    "frontier": ("#000000", "#ffffff"),
    "law": ("#d55e00", "#ff9a4d"),
    "warning": ("#c1121f", "#ff6b6b"),
    "forecast": ("#0072b2", "#66b8ff"),
    "approach1": ("#0072b2", "#66b8ff"),
    "approach2": ("#009e73", "#3ddcaa"),
    "approach3": ("#d55e00", "#ff9a4d"),
}

RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 10.5,
    "axes.edgecolor": "#666666",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "text.parse_math": False,  # a dollar in a name is a dollar
    "svg.fonttype": "path",
    "svg.hashsalt": "scaling-laws",
    "path.simplify": False,
}


def mix(stops: Sequence[str], fraction: float) -> str:
    """The colour at `fraction` (0 .. 1) of evenly spaced hexadecimal `stops`."""
    place = min(max(fraction, 0.0), 1.0) * (len(stops) - 1)
    low = min(int(place), len(stops) - 2)
    pair = [[int(stop[i : i + 2], 16) for i in (1, 3, 5)] for stop in stops[low : low + 2]]
    return "#" + "".join(f"{round(a + (b - a) * (place - low)):02x}" for a, b in zip(*pair, strict=True))


def readable_on(colour: str) -> str:
    """Black or white, whichever stands out on a hexadecimal colour."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#ffffff"


def write_atomically(path: Path, content: bytes) -> Path:
    """Writes `content` to `path` whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path


def csv_bytes(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> bytes:
    """A CSV with a header; floats are written so that they read back the same."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode(errors="backslashreplace")
