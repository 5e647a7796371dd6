"""Exports of Weights & Biases and TensorBoard logs as runs with curves, written as their programs write them."""

import csv
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import load
from analysis.envelope import envelope
from analysis.load import curves
from scaling_laws import config, families, spec
from scaling_laws.train.watch import TensorBoard
from scaling_laws.units import units_of
from scripts.faults import odd_events

RUNS_CSV = """"Name","State","Notes","User","Tags","Created","Runtime","Sweep","n","lr","tokens","valid/loss"
"big one","finished","-","ann","","2025-01-02T00:00:00.000Z","100","","2000000","0.001","4000","2.5"
"small","finished","","ann","a, b","2025-01-01T00:00:00.000Z","90","","1000000","0.002","4000","3.5"
"lost","crashed","","ann","","2025-01-01T00:00:00.000Z","9","","1000000","0.5","100","NaN"
"""
BESIDE = ("", "__MIN", "__MAX")
CHART_HEADER = ["Step", *(f"{run} - valid/loss{end}" for run in ("big one", "small") for end in BESIDE)]
CHART_HEADER += [f"small - _step{end}" for end in BESIDE]  # which a chart over another axis has too
CHART_CSV = f"""{",".join(f'"{name}"' for name in CHART_HEADER)}
"10","4.5","4.5","4.5","5","5","5","9","9","9"
"20","","","","4","4","4","9","9","9"
"40","2.5","2.5","2.5","3.5","3.5","3.5","9","9","9"
"""
COLUMNS = "n_params=n,loss=valid/loss"


def test_a_runs_table_of_wandb(tmp_path):
    (tmp_path / "runs.csv").write_text(RUNS_CSV)
    runs = load.load(tmp_path / "runs.csv", COLUMNS)
    assert runs.names() == ("big one", "small")
    assert list(runs["loss"]) == [2.5, 3.5]
    assert list(runs["flops"]) == [6 * 2e6 * 4000, 6 * 1e6 * 4000]
    assert [(e.names(), e.reason) for e in runs.excluded] == [(["lost"], "status crashed")]
    assert runs.notes[0] == "runs table of Weights & Biases: run_id is Name, status is State"
    with pytest.raises(load.DataError, match="single table of runs has no training curves"):
        load.load_curves(tmp_path / "runs.csv", COLUMNS)


def test_runs_that_share_a_name_go_by_their_id(tmp_path):
    text = '"Name","State","ID","n","tokens","loss"\n"a","finished","x1","1","2","3"\n"a","finished","x2","1","2","4"\n'
    (tmp_path / "runs.csv").write_text(text)
    assert load.load(tmp_path / "runs.csv", "n_params=n").names() == ("x1", "x2")


def test_names_that_look_like_numbers_stay_names(tmp_path):
    text = '"Name","State","n","tokens","loss"\n"007","finished","1","2","3"\n"1e3","finished","1","2","4"\n'
    (tmp_path / "runs.csv").write_text(text)
    assert load.load(tmp_path / "runs.csv", "n_params=n").names() == ("007", "1e3")


def test_an_axis_of_words_is_refused(tmp_path):
    (tmp_path / "h.csv").write_text("_step,loss\n1,2\nx,3\n")
    with pytest.raises(load.DataError, match="column '_step' holds text: row 2 is 'x'"):
        load.load(tmp_path / "h.csv")


def test_histories_may_go_by_the_id(tmp_path):
    (tmp_path / "runs.csv").write_text('"Name","State","ID","n","tokens"\n"a","finished","x1","1","2"\n')
    (tmp_path / "x1.jsonl").write_text('{"_step": 1, "loss": 3}\n{"_step": 2, "loss": 2}\n')
    runs = load.load(tmp_path, "n_params=n")
    assert (runs.names(), list(runs["loss"])) == (("x1",), [2.0])
    assert "what a run's row lacks is the last value on its curve: step, loss" in runs.notes


def test_a_folder_with_a_runs_table_and_charts_is_runs_with_curves(tmp_path):
    (tmp_path / "runs.csv").write_text(RUNS_CSV)
    (tmp_path / "chart.csv").write_text(CHART_CSV)
    runs, points = load.load(tmp_path, COLUMNS), load.load_curves(tmp_path, COLUMNS)
    assert runs.names() == ("big one", "small")
    assert list(points["run_id"]) == ["big one"] * 2 + ["small"] * 3
    assert list(points["step"]) == [10, 40, 10, 20, 40]
    assert list(points["loss"]) == [4.5, 2.5, 5, 4, 3.5]
    share = np.array([0.25, 1, 0.25, 0.5, 1])
    assert points["flops"] == pytest.approx(share * 6 * 4000 * np.array([2e6, 2e6, 1e6, 1e6, 1e6]))
    assert "flops are not on the curves: C of the run x step / steps" in points.notes
    assert "_step" not in points
    assert any("chart of Weights & Biases: valid/loss over 'Step'" in note for note in points.notes)
    assert len(envelope(points, runs).flops) > 2


def history(run, n, steps=(1, 2, 3)):
    for step in steps:
        yield {"_step": step, "_runtime": step * 1.5, "_timestamp": 1e9, "name": run, "tokens": 100 * step, "n": n}
        yield {"_step": step, "name": run, "eval/loss": 5.0 - step}


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_a_history_alone_is_runs_with_curves(tmp_path, suffix):
    rows = [*history("b", 2e6), *history("a", 1e6)]
    path = tmp_path / f"history{suffix}"
    if suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, {name: None for row in rows for name in row})
            writer.writeheader()
            writer.writerows(rows)
    mapping = "n_params=n,loss=eval/loss"
    runs, points = load.load(path, mapping), load.load_curves(path, mapping)
    assert dict(zip(runs.names(), runs["loss"], strict=True)) == {"a": 2.0, "b": 2.0}
    assert set(runs["tokens"]) == {300}
    assert "the last values on its curve" in " ".join(runs.notes)
    assert len(points) == 6
    b = points["run_id"] == "b"
    assert list(points["flops"][b]) == [6 * 2e6 * tokens for tokens in (100, 200, 300)]
    assert list(points["loss"][b]) == [4, 3, 2]


def test_a_history_without_a_column_of_runs_is_called_as_its_file(tmp_path):
    for name in ("x", "y"):
        rows = [{key: value for key, value in row.items() if key != "name"} for row in history("", 1e6)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert load.load(tmp_path, "n_params=n,loss=eval/loss").names() == ("x", "y")
    (tmp_path / "one.csv").write_text("a\n1\n")
    (tmp_path / "two.csv").write_text("a\n1\n")
    with pytest.raises(load.DataError, match=r"one\.csv and .*two\.csv: two tables of runs"):
        load.load(tmp_path)


def test_names_on_no_curve_and_in_no_run_are_refused(tmp_path):
    (tmp_path / "h.jsonl").write_text("\n".join(map(json.dumps, history("a", 1e6))))
    with pytest.raises(load.DataError, match=r"no column 'eval/los'; did you mean eval/loss\?"):
        load.load_curves(tmp_path / "h.jsonl", "loss=eval/los")
    with pytest.raises(load.DataError, match="no column 'loss'"):
        load.load_curves(tmp_path / "h.jsonl")
    with pytest.raises(load.DataError, match=r"no column 'flops'.*allowed: flops or tokens on the curves"):
        load.load_curves(tmp_path / "h.jsonl", "loss=eval/loss")


POINT = st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.one_of(st.none(), st.floats(1, 9)))


@given(st.lists(POINT, min_size=1, max_size=12), st.lists(POINT, min_size=1, max_size=12))
def test_points_of_several_files_become_one_table(first, second):
    parts, expected = [], {}
    for metric, points in (("loss", first), ("rate", second)):
        names, steps, values = (list(column) for column in zip(*points, strict=True))
        numbers = np.array([np.nan if value is None else value for value in values])
        parts.append({"run_id": np.array(names), "step": np.array(steps, dtype=float), metric: numbers})
        for name, step, value in points:
            expected.setdefault((name, step), {})
            if value is not None:
                expected[name, step][metric] = value
    table = curves.merged(parts)
    assert list(zip(table["run_id"], table["step"], strict=True)) == sorted(expected)
    for metric in ("loss", "rate"):
        wanted = [expected[key].get(metric, np.nan) for key in sorted(expected)]
        assert np.array_equal(table[metric], wanted, equal_nan=True)
    last = curves.last_values(table)
    for name, value in zip(last["run_id"], last["loss"], strict=True):
        seen = [expected[key]["loss"] for key in sorted(expected) if key[0] == name and "loss" in expected[key]]
        assert value == seen[-1] if seen else np.isnan(value)


def test_runs_without_a_curve_and_curves_without_a_run_keep_their_row():
    runs = {"run_id": np.array(["c", "a"]), "lr": np.array([1.0, 2.0])}
    points = {"run_id": np.array(["a", "a", "b"]), "step": np.array([2.0, 1.0, 1.0]), "loss": np.array([3.0, 4.0, 5.0])}
    table = curves.with_last_values(runs, points).columns
    assert list(table["run_id"]) == ["c", "a", "b"]
    assert np.array_equal(table["lr"], [1, 2, np.nan], equal_nan=True)
    assert np.array_equal(table["loss"], [np.nan, 3, 5], equal_nan=True)


@settings(max_examples=40)
@given(st.lists(st.text(max_size=8), min_size=1, max_size=4), st.text(max_size=12))
def test_hostile_names_stay_text(tmp_path_factory, names, word):
    path = tmp_path_factory.mktemp("h") / "h.jsonl"
    rows = [{"_step": k, "run_id": name, "note": word, "loss": 1.0} for k, name in enumerate(names)]
    path.write_text("\n".join(map(json.dumps, rows)))
    runs = load.load(path, needs=("loss",))
    assert set(runs["run_id"]) == {name.rstrip("\0") for name in names}
    assert runs["loss"].dtype == float


def own_run(folder, width, steps=40, losses=(4.0, 3.0), final=2.5, form=None, more=None):
    changes = {"model.width": width, "train.steps": steps} | (more or {})
    run = config.replace(config.RunConfig(), changes)
    with TensorBoard(folder) as board:
        for k, loss in enumerate(losses, 1):
            board.scalars(steps * k // len(losses), {"train_loss": loss + 0.1, "loss": loss})
        settings = {path: value for path, _, value in config.leaves(run)} | (spec.as_settings(form) if form else {})
        board.hparams(settings, {"loss": final} if final else {})
    return run


def test_our_own_logs_come_back_with_their_counts(tmp_path):
    runs_made = {f"w{width}": own_run(tmp_path / f"w{width}", width) for width in (16, 32)}
    own_run(tmp_path / "lost", 64, final=None)
    runs, points = load.load(tmp_path), load.load_curves(tmp_path)
    assert runs.names() == ("w16", "w32")
    assert runs.excluded_counts() == {"status failed": 1}
    for i, run in enumerate(runs_made.values()):
        counts = families.count(run.model, spec.text(run.task.vocab_size, run.task.context))
        tokens = 40 * run.train.batch_size * run.task.context
        assert runs["n_params"][i] == counts.n_params
        assert runs["tokens"][i] == tokens
        assert runs["flops"][i] == counts.flops_per_token * tokens
        mine = points["run_id"] == runs.run_id(i)
        assert list(points["flops"][mine]) == [runs["flops"][i] / 2, runs["flops"][i]]
    assert list(runs["loss"]) == [2.5, 2.5]
    assert list(points["loss"]) == [4, 3] * 3
    assert set(runs["optimizer.name"]) == {"adamw"}
    assert envelope(points, runs).run_id[0] == "w16"


FORMS = [
    ({"model.family": "mlp", "task.name": "images"}, spec.Spec("image", (8, 8, 1), 10)),
    ({"model.family": "vit", "model.head_dim": 8, "task.name": "images"}, spec.Spec("image", (8, 8, 1), 10)),
    (
        {"model.family": "recommender", "task.name": "ratings"},
        spec.Spec("pair", (2,), 1, "squared_error", sizes=(500, 400)),
    ),
    (
        {"model.family": "features", "model.depth": 1, "task.name": "power_law"},
        spec.Spec("noise", (), 1, "squared_error", source="stream", stream="keys", numbers=(1.0, 0.25)),
    ),
    ({"task.name": "text"}, spec.text(256, 128)),
]


@pytest.mark.parametrize("more, form", FORMS)
def test_logs_of_any_task_come_back_with_their_counts_and_units(tmp_path, more, form):
    runs_made = {f"w{width}": own_run(tmp_path / f"w{width}", width, form=form, more=more) for width in (16, 32)}
    runs = load.load(tmp_path)
    assert runs.names() == tuple(runs_made)
    for i, run in enumerate(runs_made.values()):
        counts, targets = families.count(run.model, form), 40 * run.train.batch_size * form.targets
        assert (runs["n_params"][i], runs["tokens"][i]) == (counts.n_params, targets)
        assert runs["flops"][i] == counts.flops_per_token * targets
    assert load.units(runs) == units_of(form.loss, form.targets)


def test_logs_of_another_task_that_say_no_form_describe_nothing(tmp_path):
    own_run(tmp_path / "a", 16, more=FORMS[0][0])
    with pytest.raises(load.DataError, match="no column"):
        load.load(tmp_path)


def test_a_resumed_run_repeats_nothing(tmp_path):
    for steps, loss, more in [((10, 20, 30), 3.5, {"norm": 1.0}), ((20, 30), 2.5, {})]:
        with TensorBoard(tmp_path / "a") as board:
            for step in steps:
                board.scalars(step, {"loss": loss, "flops": 1.0 * step} | more)
    points = load.load_curves(tmp_path)
    assert list(points["step"]) == [10, 20, 30]
    assert list(points["loss"]) == [3.5, 2.5, 2.5]
    assert np.array_equal(points["norm"], [1, np.nan, np.nan], equal_nan=True)


def test_a_strangers_logs_with_settings_in_a_folder_inside(tmp_path):
    """As TensorFlow 2 writes scalars (tensors), and PyTorch's add_hparams its settings (a folder below the run's)."""
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.plugins.scalar import metadata
    from tensorboard.plugins.text.summary_v2 import text_pb
    from tensorboard.summary.writer.event_file_writer import EventFileWriter
    from tensorboard.util import tensor_util

    writer = EventFileWriter(str(tmp_path / "runs" / "a"))
    for step, loss in ((1, 4.0), (2, 3.0)):
        about = metadata.create_summary_metadata("", "") if step == 1 else None
        tensor = tensor_util.make_tensor_proto(np.float32(loss))
        value = summary_pb2.Summary.Value(tag="valid/loss", tensor=tensor, metadata=about)
        writer.add_event(event_pb2.Event(step=step, summary=summary_pb2.Summary(value=[value])))
    writer.add_event(event_pb2.Event(summary=text_pb("config", '```json\n{"model": {"n": 5e6}, "kind": "x"}\n```')))
    writer.add_event(event_pb2.Event(summary=text_pb("note", "no JSON at all")))
    writer.close()
    with TensorBoard(tmp_path / "runs" / "a" / "1700000000.5") as board:
        board.hparams({"tokens": 3e8, "lr": 0.1}, {"loss": 2.75})
    with TensorBoard(tmp_path / "runs" / "b") as board:
        board.scalars(1, {"other": 1.0})
    runs = load.load(tmp_path / "runs", "n_params=model.n,loss=valid/loss")
    assert runs.names() == ("a",)
    assert (runs["n_params"][0], runs["tokens"][0], runs["loss"][0], runs["kind"][0]) == (5e6, 3e8, 3.0, "x")
    assert runs.excluded_counts() == {"status unknown": 1}
    assert any("1 folders of hyper-parameters" in note for note in runs.notes)


def test_a_diverged_curve_ends_as_it_ended(tmp_path):
    with TensorBoard(tmp_path / "a") as board:
        board.scalars(1, {"loss": 2.0, "n_params": 1e6, "tokens": 1e6})
        board.scalars(2, {"loss": float("nan"), "n_params": 1e6, "tokens": 2e6})
    with pytest.raises(load.DataError, match="1 x loss is not a positive number"):
        load.load(tmp_path)


@pytest.mark.parametrize("damage", [lambda data: data[:-5], lambda data: data[:-60] + b"\xff" * 20 + data[-40:]])
def test_damaged_logs_are_read_up_to_the_damage_and_said(tmp_path, damage):
    with TensorBoard(tmp_path / "a") as board:
        for step in (1, 2, 3):
            board.scalars(step, {"loss": 4.0 - step, "n_params": 1e6, "tokens": 1e6 * step})
    (path,) = (tmp_path / "a").iterdir()
    path.write_bytes(damage(path.read_bytes()))
    runs = load.load(tmp_path)
    assert runs["loss"][0] == 2.0
    assert any("damaged or cut short after" in note for note in runs.notes)
    path.write_bytes(b"no events at all")
    with pytest.raises(load.DataError, match="neither scalars nor hyper-parameters"):
        load.load(tmp_path)


TENSOR_OF_A_GIBIBYTE = (1 << 28,)


@pytest.mark.parametrize(
    "dtype, shape, values, text",
    [
        (1, TENSOR_OF_A_GIBIBYTE, [1.5], b""),
        (1, (1 << 40, 1 << 40), [1.5], b""),
        (1, (-1,), [1.5], b""),
        (1, (3,), [1.5, 2.5], b""),
        (1, (0,), [], b""),
        (99, (), [1.5], b""),
        (7, (), [], b"seven"),
        (7, TENSOR_OF_A_GIBIBYTE, [], b"x"),
    ],
)
def test_tensors_that_are_no_scalar_are_passed_over(tmp_path, dtype, shape, values, text):
    from tensorboard.compat.proto import event_pb2, summary_pb2

    value = summary_pb2.Summary.Value(tag="odd")
    value.metadata.plugin_data.plugin_name = "scalars" if values or not text else "text"
    value.tensor.dtype = dtype
    value.tensor.float_val.extend(values)
    value.tensor.string_val.extend([text] if text else [])
    for size in shape:
        value.tensor.tensor_shape.dim.add().size = size
    events = [event_pb2.Event(step=1, summary=summary_pb2.Summary(value=[value]))]
    runs = load.load(logged(tmp_path, [event.SerializeToString() for event in events]))
    assert "odd" not in runs


@pytest.mark.parametrize("text", [b'{"a":' * 990 + b"1" + b"}" * 990, b"[" * 100_000, b'{"a": [1}', b"\xff"])
def test_settings_of_any_depth_do_no_harm(tmp_path, text):
    from tensorboard.compat.proto import event_pb2, summary_pb2

    value = summary_pb2.Summary.Value(tag="config")
    value.metadata.plugin_data.plugin_name = "text"
    value.tensor.dtype = 7
    value.tensor.string_val.append(text)
    event = event_pb2.Event(step=1, summary=summary_pb2.Summary(value=[value]))
    assert len(load.load(logged(tmp_path, [event.SerializeToString()]))) == 1


def test_records_that_hold_no_event_end_a_log(tmp_path):
    runs = load.load(logged(tmp_path, [b"\xff" * 9]))
    assert any("damaged or cut short after" in note for note in runs.notes)
    folder = logged(tmp_path / "other", [])
    (path,) = (folder / "a").iterdir()
    path.write_bytes(path.read_bytes() + odd_events.head((1 << 62).to_bytes(8, "little")))
    assert any("damaged or cut short after" in note for note in load.load(folder).notes)


def logged(folder, more):
    """A folder with one run, whose log goes on with other records."""
    with TensorBoard(folder / "a") as board:
        board.scalars(1, {"loss": 2.0, "n_params": 1e6, "tokens": 1e6})
    (path,) = (folder / "a").iterdir()
    path.write_bytes(path.read_bytes() + b"".join(map(odd_events.sealed, more)))
    return folder
