import subprocess
import sys
import time
import types

import pytest
from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto import event_pb2
from tensorboard.context import RequestContext
from tensorboard.plugins import base_plugin
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups

from scaling_laws.train import watch
from scaling_laws.train.watch import TensorBoard, Watch


def scalars_of(folder):
    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def session_groups(folder, metrics):
    """What TensorBoard's own HParams page would list."""
    multiplexer = plugin_event_multiplexer.EventMultiplexer()
    multiplexer.AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    provider = data_provider.MultiplexerDataProvider(multiplexer, str(folder))
    context = backend_context.Context(base_plugin.TBContext(logdir=str(folder), data_provider=provider))
    statuses = [api_pb2.STATUS_SUCCESS, api_pb2.STATUS_FAILURE]
    request = api_pb2.ListSessionGroupsRequest(
        start_index=0,
        slice_size=10,
        allowed_statuses=statuses,
        col_params=[api_pb2.ColParams(metric=api_pb2.MetricName(tag=tag)) for tag in metrics],
    )
    return list_session_groups.Handler(RequestContext(), context, "", request).run().session_groups


def test_scalars_come_back(tmp_path):
    with TensorBoard(tmp_path) as board:
        board.scalars(10, {"loss": 3.5, "learning_rate": 0.25})
        board.scalars(20, {"loss": 2.5})
    assert scalars_of(tmp_path) == {"loss": [(10, 3.5), (20, 2.5)], "learning_rate": [(10, 0.25)]}


def test_a_resumed_run_replaces_what_it_repeats(tmp_path):
    for steps, loss in [((10, 20, 30), 3.5), ((20, 30), 2.5)]:
        with TensorBoard(tmp_path) as board:
            for step in steps:
                board.scalars(step, {"loss": loss})
    assert scalars_of(tmp_path) == {"loss": [(10, 3.5), (20, 2.5), (30, 2.5)]}


def test_settings_carry_the_final_loss_as_their_metric(tmp_path):
    for name, rate, final in [("a", 1e-3, {"loss": 2.25}), ("b", 1e-2, {})]:
        with TensorBoard(tmp_path / name) as board:
            board.scalars(100, {"loss": 2.5})
            board.hparams({"optimizer.learning_rate": rate, "model.remat": False, "budgets": (1, 2)}, final)
    groups = session_groups(tmp_path, ["final/loss"])
    found = {group.sessions[0].name: group for group in groups}
    assert set(found) == {"a", "b"}
    assert found["a"].hparams["optimizer.learning_rate"].number_value == 1e-3
    assert found["a"].hparams["model.remat"].bool_value is False
    assert found["a"].hparams["budgets"].string_value == "(1, 2)"
    metrics = {name: {m.name.tag: (m.training_step, m.value) for m in found[name].metric_values} for name in "ab"}
    assert metrics == {"a": {"loss": (100, 2.5), "final/loss": (100, 2.25)}, "b": {"loss": (100, 2.5)}}
    assert found["a"].sessions[0].status == api_pb2.STATUS_SUCCESS
    assert found["b"].sessions[0].status == api_pb2.STATUS_FAILURE


def test_steps_are_told_not_too_often_and_every_curve_point(tmp_path, monkeypatch):
    now, told = [0.0], []
    monkeypatch.setattr(watch, "time", types.SimpleNamespace(monotonic=lambda: now[0], time=time.time))
    with Watch(tmp_path, told.append) as seen:
        for step in range(8):
            now[0] = step * watch.TELL_EVERY / 3
            seen.at(step)
        seen.scalars(8, {"loss": 3.5})
    assert told == [0, 3, 6, 8]
    assert scalars_of(tmp_path) == {"loss": [(8, 3.5)]}


def test_a_resumed_run_that_ends_before_its_next_point_hides_none(tmp_path):
    with Watch(tmp_path, lambda step: None) as seen:
        seen.scalars(10, {"loss": 3.5})
    with Watch(tmp_path, lambda step: None) as seen:
        seen.at(15)
        seen.hparams({"train.seed": 0}, {})
    assert scalars_of(tmp_path) == {"loss": [(10, 3.5)]}


def test_closing_without_a_write_makes_no_folder(tmp_path):
    TensorBoard(tmp_path / "run").close()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("module", ["scaling_laws.train.watch", "scaling_laws.progress"])
def test_importing_costs_nothing(module):
    program = f"import {module}, sys; print([m for m in sys.modules if m in ('tensorboard', 'tensorflow', 'orbax')])"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"


def test_hostile_settings_are_values_and_never_tags_or_markdown(tmp_path):
    hostile = "</script><script>alert(1)</script> [x](javascript:alert(1)) <img src=x onerror=alert(1)>"
    with TensorBoard(tmp_path) as board:
        board.scalars(1, {"loss": 2.5})
        board.hparams({"task.path": hostile, "train.seed": 0}, {"loss": 2.25})
    (path,) = tmp_path.iterdir()
    values = [
        v for record in RawEventFileLoader(str(path)).Load() for v in event_pb2.Event.FromString(record).summary.value
    ]
    tags = {value.tag for value in values}
    assert tags == {"loss", "final/loss", "_hparams_/session_start_info", "_hparams_/session_end_info"}
    assert {value.metadata.plugin_data.plugin_name for value in values} == {"", "hparams"}
    (group,) = session_groups(tmp_path, ["final/loss"])
    assert group.hparams["task.path"].string_value == hostile
