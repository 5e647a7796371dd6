"""What follows a run from outside: its TensorBoard file, made without TensorFlow, and whoever counts its steps.

The file holds scalars along the run, and its settings with the final loss as their metric.

Read them with `tensorboard --logdir FOLDER`; every run has a folder of its own below that one.
"""
# pyright: reportAttributeAccessIssue=false
# (modules generated from protos declare nothing that a type checker sees)

import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

FINAL = "final/"  # what a run ended at, apart from the curve of the same quantity
TELL_EVERY = 0.5  # seconds between two steps that are told


class TensorBoard:
    """Writes one run's event file under `folder`. TensorBoard is imported, and the file made, on the first write."""

    def __init__(self, folder: str | os.PathLike):
        self._folder, self._writer, self._step = Path(folder), None, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Add the values at a step. The first step written hides what an interrupted run wrote from there on."""
        from tensorboard.compat.proto import event_pb2, summary_pb2

        if self._writer is None:
            start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._add(event_pb2.Event(step=step, session_log=start))
        self._step = step
        points = [summary_pb2.Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        self._add(event_pb2.Event(step=step, summary=summary_pb2.Summary(value=points)))

    def hparams(self, values: Mapping[str, Any], final: Mapping[str, float]) -> None:
        """Add the settings and what the run ended at, as metrics `final/...`; an empty `final` is a failed run.

        A setting that is neither a number, a text nor a truth value is shown as its text.
        """
        from tensorboard.compat.proto import event_pb2
        from tensorboard.plugins.hparams import summary_v2

        plain = {
            name: value if isinstance(value, bool | int | float | str) else str(value) for name, value in values.items()
        }
        self.scalars(self._step, {FINAL + name: value for name, value in final.items()})
        for summary in (summary_v2.hparams_pb(plain), _session_end(bool(final))):
            self._add(event_pb2.Event(summary=summary))

    def close(self) -> None:
        """Flush and close the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _add(self, event: Any) -> None:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        if self._writer is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._writer = EventFileWriter(str(self._folder), flush_secs=10)
        event.wall_time = time.time()
        self._writer.add_event(event)


class Watch(TensorBoard):
    """The watcher of a run in training: TensorBoard, and `tell(step)` as it goes on."""

    def __init__(self, folder: str | os.PathLike, tell: Callable[[int], None]):
        super().__init__(folder)
        self._tell, self._told_at = tell, -math.inf

    def at(self, step: int) -> None:
        """The run has reached a step; told when the last one is old enough."""
        self._step = step  # a run that ends before its next point must not hide the points before
        if time.monotonic() - self._told_at >= TELL_EVERY:
            self._tell(step)
            self._told_at = time.monotonic()

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Add the values at a step, and tell it."""
        super().scalars(step, values)
        self._tell(step)


def _session_end(finished: bool) -> Any:
    """The summary that tells the HParams plugin how the run ended."""
    from tensorboard.compat.proto import summary_pb2
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    status = api_pb2.STATUS_SUCCESS if finished else api_pb2.STATUS_FAILURE
    end = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
    about = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=end))
    value = summary_pb2.Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=about, tensor=metadata.NULL_TENSOR)
    return summary_pb2.Summary(value=[value])
