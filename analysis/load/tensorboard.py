"""TensorBoard logs: a run a folder of event files. Scalars are curves; settings (HParams, JSON texts) are columns.

Read with TensorBoard's own reader of event files, imported when there is something to read. What our own runs write
(scaling_laws.train.watch) comes back with N, D and C, counted anew from the settings and the form of an example.
"""
# pyright: reportAttributeAccessIssue=false
# (modules generated from protos declare nothing that a type checker sees)

import dataclasses
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from analysis.load.columns import typed
from analysis.load.curves import Columns, Source
from analysis.load.runs import DataError

EVENTS = "*tfevents*"
FINAL = "final/"  # tags of what a run ended at, apart from its curves
MOST_VALUES = 1 << 16  # in the tensor of a scalar or a text, of which the first is read
RECORD = 16  # bytes around a record of an event file: its length and two checksums


@dataclasses.dataclass
class Run:
    """What the event files of one folder hold: tag -> step -> value, settings, how it ended ("" where unsaid)."""

    scalars: dict[str, dict[int, float]] = dataclasses.field(default_factory=dict)
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    status: str = ""
    plugins: dict[str, str] = dataclasses.field(default_factory=dict)  # a tag names its plugin the first time only


def has_events(folder: Path) -> bool:
    """Whether there is an event file in or below a folder."""
    return next(_files(folder), None) is not None


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob(EVENTS) if path.is_file())


def read_logs(folder: Path) -> Source:
    """Every run below a folder, by its path from there. Raises DataError where no file holds a scalar or a setting."""
    found: dict[str, Run] = {}
    notes: list[str] = []
    for place in sorted({path.parent for path in _files(folder)}):
        run, damage = _read_run(place)
        notes += damage
        if run.scalars or run.settings:
            found[folder.resolve().name if place == folder else place.relative_to(folder).as_posix()] = run
    if not found:
        raise DataError(f"{folder}: its event files hold neither scalars nor hyper-parameters")
    notes += _adopt(found)
    columns = _runs_columns(found)
    notes.append(f"TensorBoard logs: {len(found)} runs; a run's own value of a scalar is the last on its curve")
    return Source(columns, _points(found), tuple(notes))


def _read_run(place: Path) -> tuple[Run, list[str]]:
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto import event_pb2

    run, notes = Run(), []
    for path in sorted(path for path in place.glob(EVENTS) if path.is_file()):
        size = 0
        for record in _records(path):
            try:
                _take(run, event_pb2.Event.FromString(record))
            except DecodeError:
                break
            size += len(record) + RECORD
        if size < path.stat().st_size:
            notes.append(f"{path}: damaged or cut short after {size} bytes; what follows is left out")
    return run, notes


def _records(path: Path) -> Iterator[bytes]:
    """The intact records at the beginning of a file."""
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader

    try:
        yield from RawEventFileLoader(str(path)).Load()
    except (OverflowError, MemoryError):  # a record that says it is longer than any file is
        return


def _take(run: Run, event: Any) -> None:
    from tensorboard.compat.proto import event_pb2

    if event.session_log.status == event_pb2.SessionLog.START:  # a resumed run repeats its steps from here on
        for points in run.scalars.values():
            for step in [step for step in points if step >= event.step]:
                del points[step]
    for value in event.summary.value:
        plugin = run.plugins.setdefault(value.tag, value.metadata.plugin_data.plugin_name)
        if plugin == "hparams":
            _take_hparams(run, value.metadata.plugin_data.content)
        elif plugin == "text":
            run.settings |= _json(value.tensor)
        elif value.HasField("simple_value"):
            run.scalars.setdefault(value.tag, {})[event.step] = value.simple_value
        elif plugin == "scalars" and isinstance(number := _first(value.tensor), int | float):
            run.scalars.setdefault(value.tag, {})[event.step] = float(number)


def _take_hparams(run: Run, content: bytes) -> None:
    from google.protobuf.message import DecodeError
    from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2

    try:
        data = plugin_data_pb2.HParamsPluginData.FromString(content)
    except DecodeError:
        return
    kind = data.WhichOneof("data")
    if kind == "session_start_info":
        run.status = run.status or "running"
        for name, value in data.session_start_info.hparams.items():
            run.settings[name] = getattr(value, value.WhichOneof("kind") or "string_value")
    elif kind == "session_end_info":
        success = data.session_end_info.status == api_pb2.STATUS_SUCCESS
        run.status = "finished" if success else "failed"


def _first(tensor: Any) -> Any:
    """The first value of a tensor as Python's own; None where it has none, or its parts do not go together."""
    from tensorboard.util import tensor_util

    if not 0 < math.prod(max(0, side.size) for side in tensor.tensor_shape.dim) <= MOST_VALUES:
        return None
    try:
        values = tensor_util.make_ndarray(tensor).ravel()
    except (TypeError, ValueError):
        return None
    return values[0].item() if isinstance(values[0], np.generic) else values[0]


def _json(tensor: Any) -> dict[str, Any]:
    """The settings in the JSON object that a text is, within a fence or without; nothing for another text."""
    text = _first(tensor)
    if not isinstance(text, bytes):
        return {}
    try:
        found = json.loads(text.decode(errors="replace").strip().strip("`").removeprefix("json"))
        return _flat(found) if isinstance(found, dict) else {}
    except (ValueError, RecursionError):
        return {}


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def _adopt(found: dict[str, Run]) -> list[str]:
    """A folder of settings inside a run's folder (as PyTorch's add_hparams makes) belongs to that run."""
    children = [name for name, run in found.items() if run.status and "/" in name]
    adopted = 0
    for name in children:
        parent = found.get(name.rpartition("/")[0])
        if parent is not None and not parent.status:
            child = found.pop(name)
            parent.settings |= child.settings
            parent.status = child.status
            for tag, points in child.scalars.items():
                parent.scalars.setdefault(tag, points)
            adopted += 1
    return [f"{adopted} folders of hyper-parameters inside a run's folder belong to that run"] if adopted else []


def _runs_columns(found: dict[str, Run]) -> Columns:
    rows = [dict(_row(name, run)) for name, run in found.items()]
    if any(run.status for run in found.values()):
        for row, run in zip(rows, found.values(), strict=True):
            row["status"] = run.status or "unknown"
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: typed(name, [row.get(name) for row in rows]) for name in names}


def _row(name: str, run: Run) -> Iterator[tuple[str, Any]]:
    """Settings, the last value of every scalar, and over them what a run says that it ended at."""
    from analysis.load import own_runs

    yield "run_id", name
    yield from run.settings.items()
    yield from own_runs.described(run.settings).items()
    last = {tag: points[max(points)] for tag, points in run.scalars.items() if points}
    yield from last.items()
    yield from ((tag.removeprefix(FINAL), value) for tag, value in last.items() if tag.startswith(FINAL))


def _points(found: dict[str, Run]) -> Columns | None:
    """A row a (run, step), sorted; NaN where a tag has no value at a step."""
    tags = dict.fromkeys(tag for run in found.values() for tag in run.scalars if not tag.startswith(FINAL))
    steps = {name: sorted({step for tag in tags for step in run.scalars.get(tag, ())}) for name, run in found.items()}
    rows = [(name, step) for name in found for step in steps[name]]
    if not rows:
        return None
    columns = {}
    for tag in tags:
        columns[tag] = np.array([found[name].scalars.get(tag, {}).get(step, np.nan) for name, step in rows])
    own = {"run_id": np.array([name for name, _ in rows]), "step": np.array([float(step) for _, step in rows])}
    return columns | own
