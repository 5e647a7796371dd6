"""Tables whose losses are no nats a token: what is refused, how they are labelled, and that tiny losses are legible."""

import json
import re

import numpy as np
import pytest
import synthetic
from test_audit_planted import sound

from analysis import load, lr_minima, predict
from analysis.audit import audit
from analysis.audit.checks import head
from analysis.audit.findings import NotChecked, Passed
from analysis.envelope import Envelope
from analysis.envelope.__main__ import lines as envelope_lines
from analysis.figures import build_all, critical_batch, lr_sweep
from analysis.figures.chart import wide
from analysis.fitting import fit
from analysis.forecasts.made import make
from analysis.isoflop.table import lines as isoflop_lines
from analysis.load import DataError
from analysis.options import Options
from analysis.page import page
from analysis.study import study_of
from scaling_laws.units import Units

SHRUNK = 1e-5  # squared errors are those of the synthetic law times this
NUMBERS = {"family": "mlp", "task": "table", "loss_kind": "squared_error", "context": 1, "vocab_size": 1}
CLASSES = {"family": "mlp", "task": "table", "loss_kind": "cross_entropy", "context": 1, "vocab_size": 3}
NONE = {"bits_per_byte": None, "accuracy": None, "r2": None}
OPTIONS = Options(bootstrap=10)


def numbers():
    """Rows of a regression whose squared errors are tiny."""
    rows = synthetic.rows()
    return [
        row | NUMBERS | NONE | {"r2": 0.999, "loss": row["loss"] and row["loss"] * SHRUNK, "loss_se": 1e-8}
        for row in rows
    ]


def classes():
    return [row | CLASSES | NONE | {"accuracy": 0.875} for row in synthetic.rows()]


@pytest.fixture(scope="module")
def regression(tmp_path_factory):
    return study_of(synthetic.workdir(tmp_path_factory.mktemp("numbers"), numbers()), OPTIONS)


@pytest.fixture(scope="module")
def classification(tmp_path_factory):
    return study_of(synthetic.workdir(tmp_path_factory.mktemp("classes"), classes()), OPTIONS)


def labels(study):
    """Axis and colour labels of every figure."""
    found = set()
    for drawing in build_all(study).drawings:
        found |= {axis.label for panel in drawing.panels for axis in (panel.x, panel.y)}
        found |= {drawing.colours.label} if drawing.colours else set()
    return found


def page_of(study):
    built = build_all(study)
    return page(study, built.drawings, built.skipped)


def said(text):
    """What a reader sees: no script."""
    return re.sub(r"<style>.*?</style>|<script>.*?</script>", "", text, flags=re.S)


def facts_of(text):
    """Labels of what a point of a figure tells."""
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])
    return [label for label, _ in data["runs"][0]]


def headings(text):
    table = text[text.index('id="runs-table"') :]
    return re.findall(r'<button type="button">(.*?)</button>', table[: table.index("<tbody>")])


def test_labels_of_a_regression(regression):
    assert regression.units == Units("squared error", "examples")
    found = labels(regression)
    assert found >= {
        "held-out loss (squared error)", "loss (squared error)", "loss above the budget's best (squared error)",
        "optimal examples D*", "training examples D",
    }  # fmt: skip
    assert not [label for label in found if "token" in label or "nats" in label]


def test_a_page_of_a_regression(regression):
    text = page_of(regression)
    assert "irreducible loss, squared error" in text
    assert {"D (examples)", "loss (squared error)", "R²"} <= {*headings(text)}
    assert not {"bits/byte", "accuracy"} & {*headings(text)}
    assert "loss at N* (squared error)" in text
    assert " ± 1.000e-08" in text


def test_a_page_of_another_task_has_no_word_of_text(regression):
    text = page_of(regression)
    assert "D* (examples)" in text
    assert "<dt>content hash</dt>" in text
    words = ("nats", "token", "window", "corpus", "Hoffmann")
    assert not [word for word in words if word in said(text)]
    assert {"D (examples)", "loss (squared error)"} <= {*facts_of(text)}


def test_labels_and_page_of_a_classification(classification):
    found, text = labels(classification), page_of(classification)
    assert {"held-out loss (nats/example)", "optimal examples D*"} <= found
    assert "irreducible loss, nats/example" in text
    assert {"D (examples)", "loss (nats/example)", "accuracy"} <= {*headings(text)}
    assert not {"bits/byte", "R²"} & {*headings(text)}


def test_labels_of_text_stay(tmp_path):
    study = study_of(synthetic.workdir(tmp_path), OPTIONS)
    assert {"held-out loss (nats/token)", "optimal tokens D*"} <= labels(study)
    text = page_of(study)
    assert {"D (tokens)", "loss (nats/token)", "bits/byte"} <= {*headings(text)}
    assert {"D (tokens)", "loss (nats/token)"} <= {*facts_of(text)}
    assert "<dt>corpus hash</dt>" in text
    assert "D* (tokens)" in text


def test_unlike_losses_are_refused_and_chosen_between_with_where(tmp_path):
    mixed = [row | {"run_id": f"n{i}"} for i, row in enumerate(numbers())] + synthetic.rows()
    folder = synthetic.workdir(tmp_path, mixed, curves=False)
    with pytest.raises(DataError) as caught:
        study_of(folder, OPTIONS)
    assert str(caught.value).startswith(f"{folder}: losses in nats/token and squared error; allowed: one unit, chosen")
    assert "--where" in str(caught.value)
    for where, unit in (("loss_kind == 'squared_error'", "squared error"), ("task == 'text'", "nats/token")):
        assert load.units(load.load(folder, where=where)).loss == unit
    columns = {name: [row[name] for row in mixed] for name in ("n_params", "tokens", "loss", "loss_kind", "context")}
    finished = {name: np.array(values)[[row["loss"] is not None for row in mixed]] for name, values in columns.items()}
    with pytest.raises(DataError, match="losses in nats/token and squared error"):
        load.runs_from(finished)
    assert len(load.runs_from(finished, needs=("n_params", "tokens"))) == len(finished["loss"])  # none is fitted


def test_windows_of_unlike_length_are_one_unit():
    columns = {"n_params": [1e3, 1e4], "tokens": [1e5, 1e6], "loss": [2.0, 1.9], "context": [128, 256]}
    assert load.units(load.runs_from(columns)) == Units()
    with pytest.raises(DataError, match="losses in nats/example and nats/token"):
        load.runs_from(columns | {"context": [1, 256]})


def test_a_loss_of_0_is_left_out_with_its_own_reason():
    runs = load.runs_from({"n_params": [1e3] * 3, "tokens": [1e5] * 3, "loss": [0.0, -1.0, 2.0]})
    assert runs.excluded_counts() == {"a loss of 0 has no logarithm": 1, "loss is not a positive number": 1}
    assert any("a loss of 0 has no logarithm in row 1" in note for note in runs.notes)


def test_the_law_of_tiny_losses_is_that_of_the_same_losses_in_another_unit(regression):
    law = fit(load.runs_from({name: regression.runs[name] for name in ("n_params", "tokens")}
                             | {"loss": regression.runs["loss"] / SHRUNK}))  # fmt: skip
    tiny = fit(regression.runs)
    for name in ("alpha", "beta"):
        assert tiny.coefficients[name] == pytest.approx(law.coefficients[name], rel=1e-4)
    for name in ("E", "A", "B"):
        assert tiny.coefficients[name] == pytest.approx(SHRUNK * law.coefficients[name], rel=1e-3)


@pytest.mark.parametrize("unit", [30.0, 1.0, 0.03])
def test_the_law_of_error_over_loss_is_found_from_most_starts_in_any_unit(unit):
    loss = np.linspace(2.0, 4.0, 30)
    error = 0.85 - 2.0 * np.exp(-1.5 * loss)
    found = fit(load.Runs({"loss": loss * unit, "error": error}), law="error")
    assert found.coefficients["gamma"] * unit == pytest.approx(1.5, rel=1e-3)
    assert found.coefficients["eps"] == pytest.approx(0.85, rel=1e-4)
    assert found.certificate["agreeing_fraction"] > 0.4


def test_tiny_losses_are_legible_in_tables(regression):
    digits = r"\d\.\d{3}e-05"
    drawn = next(drawing for drawing in build_all(regression).drawings if drawing.name == "shape_maps")
    assert drawn.colours.high == pytest.approx(max(layer.value.max() for p in drawn.panels for layer in p.layers[:1]))
    assert all(re.fullmatch(digits, text) for text in drawn.panels[0].layers[0].labels)
    found = regression.isoflop
    minima = isoflop_lines({found.method: found}, found.method, {})
    kept = [line for line in minima if re.search(digits, line)]
    assert len(kept) >= 4
    assert {re.search(digits, line).start() for line in kept} == {minima[1].index("loss*")}
    assert all(re.search(rf"{digits}  [+-]\d", line) for line in kept if "dropped" not in line)  # what stands beside it
    steps = np.array([1e9, 1e10])
    curve = Envelope(steps, steps * 1e-15, steps, steps, np.array(["a", "b"]), steps > 0, (0.0, 0.5), None, 0.9, "", ())
    head, first, *_ = envelope_lines(curve)
    assert (first.index("1.000e-06"), first.split()[4]) == (head.index("loss"), "a")
    made = make(regression.runs, regression.fit, {"flops": 1e13}, names=(), options=OPTIONS)
    said = [line for line in predict.lines(made, regression.units.loss) if not line.startswith("  shape")]
    assert said[0].endswith("losses in squared error")
    assert len(said) == 4
    assert all(re.search(rf" {digits}", line) for line in said[1:])


def bowls(**columns):
    """Losses over rates, tiny and more than a factor of ten apart; one run of the highest rate diverged."""
    rates = 0.01 * 2.0 ** np.arange(-2, 3)
    loss = 1e-5 * np.exp(3 * np.log(rates / 0.011) ** 2)
    same = {"parametrization": "mup", "depth": 2, "steps": 100, "seed": 0, "vocab_size": 1, "context": 1} | columns
    names = {"width": np.repeat([32, 64], 5), "learning_rate": np.tile(rates, 2), "loss": np.tile(loss, 2)}
    names |= {"n_params": names["width"] * 10.0, "tokens": np.full(10, 640.0)}
    names["status"] = np.where(np.arange(10) % 5 == 4, "diverged", "finished")
    return load.Runs(names | {name: np.full(10, value) for name, value in same.items()})


def test_rates_of_a_regression():
    found = lr_minima.minima(bowls(loss_kind="squared_error"))
    assert found[0].best == pytest.approx(0.011)
    assert np.isnan(found[0].sensitivity)  # what guessing costs is not known, and a run went bad
    assert "loss 1.000e-05 squared error" in "\n".join(lr_minima.lines(found))
    (drawing,) = lr_sweep.build(found)
    assert (drawing.panels[0].y.label, drawing.panels[0].y.log) == ("loss (squared error)", True)
    classed = lr_minima.minima(bowls(loss_kind="cross_entropy", vocab_size=3))
    assert classed[0].sensitivity == pytest.approx(
        np.append(found[0].losses[:4].ravel(), np.log(3)).mean() - 1e-5, rel=0.1
    )
    mixed = bowls().with_columns(loss_kind=np.array(["squared_error"] * 5 + ["cross_entropy"] * 5))
    with pytest.raises(DataError, match="losses in"):
        lr_minima.minima(mixed)


def test_a_rate_of_loss_0_is_left_out():
    runs = bowls(loss_kind="squared_error")
    zero = runs.with_columns(loss=np.where(runs["learning_rate"] == 0.0025, 0.0, runs["loss"]))
    assert lr_minima.minima(zero)[0].best == pytest.approx(0.011)


def test_axes_are_logarithmic_from_a_factor_of_ten_on():
    assert wide(np.array([1e-5, 2e-4]))
    assert not wide(np.array([2.0, 5.0]))
    assert not wide(np.array([0.0, 5.0]))
    assert not wide(np.array([np.nan]))


@pytest.mark.parametrize("losses, log", [((1e-5, 1e-3), True), ((2.0, 3.0), False)])
def test_the_noise_scale_of_a_regression(losses, log):
    rows = [{"loss": loss, "windows": 4.0, "low": 3.0, "high": 5.0} for loss in losses]
    (panel,) = critical_batch.noise([], rows, 1, Units("squared error", "examples")).panels
    assert (panel.x.label, panel.x.log) == ("validation loss (squared error)", log)
    assert panel.y.label == "batch (examples)"


def checked(**columns):
    """What the check of the head, and the audit as a whole, say of a sound table with columns changed."""
    runs = load.runs_from(sound() | columns)
    found = audit(runs, Options(bootstrap=0))
    return head.check(found.case), found


def test_the_head_of_other_families_is_n_without_its_blocks():
    """A perceptron of 96 width^2 parameters is no transformer of 8 blocks, whatever 12 depth width^2 says."""
    n = sound()["n_params"]
    mlp = {
        "family": np.full(len(n), "mlp"),
        "counts": np.zeros(len(n)),
        "vocab_size": np.full(len(n), 10.0),
        "context": 1.0 + 0 * n,
    }
    assert isinstance(checked(**mlp)[0], NotChecked)
    counted, _ = checked(**mlp, n_non_embedding=0.97 * n)  # less than 5 % of N, and yet counted
    assert isinstance(counted, Passed)
    assert counted.text.startswith("N counts the head")
    assert isinstance(checked(**mlp, n_non_embedding=n)[0], NotChecked)
    assert np.isnan(head.head_params(load.runs_from(sound() | mlp))).all()
    strangers = mlp | {"family": np.full(len(n), "gpt"), "vocab_size": np.full(len(n), 5e4)}
    assert head.head_params(load.runs_from(sound() | strangers)) == pytest.approx(5e4 * sound()["width"])


def test_few_held_out_examples_are_no_mistake_and_few_tokens_are():
    few = {"eval_tokens": np.full(len(sound()["loss"]), 300.0)}
    one = np.ones(len(sound()["loss"]))
    _, examples = checked(**few, context=one)
    assert "training_loss" not in [finding.check for finding in examples.findings]
    assert any("over 300 examples or more" in outcome.text for outcome in examples.passed)
    _, tokens = checked(**few, context=128 * one)
    (finding,) = [finding for finding in tokens.findings if finding.check == "training_loss"]
    assert "300 tokens" in finding.evidence


def test_an_audit_speaks_in_the_unit_of_the_table():
    columns = sound()
    columns |= {"loss": columns["loss"] * SHRUNK, "train_loss": columns["train_loss"] * SHRUNK}
    columns |= {"horizon_tokens": columns["tokens"] * np.where(np.arange(len(columns["loss"])) % 9 == 0, 3, 1)}
    _, found = checked(**columns, loss_kind=np.full(len(columns["loss"]), "squared_error"))
    moved = [finding.moves() for finding in found.findings if finding.effect and "forecast" in finding.moves()]
    assert moved
    assert all(re.search(r"from \d\.\d{3}e-05 to \d\.\d{3}e-05 squared error", text) for text in moved)
