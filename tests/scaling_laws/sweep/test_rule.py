"""A fitted rule's file, from what is in it to the runs of a plan."""

import copy
import json
import math

import pytest

from scaling_laws import config
from scaling_laws.config import ConfigError
from scaling_laws.sweep import rule, show
from scaling_laws.sweep.plan import plan
from scaling_laws.sweep.rates import next_rates

# By hand, at context 16 and width 8, depth 1 (test_plan): N 4888, a budget of 1e9 is 54253.5 tokens.
FITTED = {
    "format": 2,
    "learning_rate": {"coefficient": 2.0, "exponents": {"n_params": -0.5, "tokens": -0.1}},
    "batch_tokens": {"coefficient": 0.5, "exponents": {"n_params": 0.0, "tokens": 0.5}},
    "parametrization": "completep",
    "base_width": 64,
    "base_depth": 2,
    "optimizer": "adamw",
    "range": {"n_params": [1e3, 1e6], "tokens": [1e3, 1e8], "batch_tokens": [16, 4096]},
    "source": {"table": "0123456789abcdef"},
}


@pytest.fixture
def written(tmp_path):
    """Writes a rule, changed at a dotted path, and names its file."""

    def write(path="", value=None, name="rule.json"):
        data = copy.deepcopy(FITTED)
        if path:
            *parents, last = path.split(".")
            place = data
            for parent in parents:
                place = place[parent]
            place[last] = value
        (tmp_path / name).write_text(json.dumps(data))
        return str(tmp_path / name)

    return write


def test_rates_and_batches_by_the_rule(experiment, facts, written):
    grid = experiment(sweep__rule=written(), sweep__lr_multipliers=(1.0, 2.0))
    grid = config.replace(grid, {"sweep.budgets": (1e9, 1.6e10)})
    runs = [p for p in plan(grid, facts).runs if p.shape == (8, 1)]
    # .5 sqrt(54253.5) = 116.5 tokens = 7.28 windows: 8 is nearer than 4; 16 times as many tokens: 29.1, so 32
    assert [p.run.train.batch_size for p in runs] == [8, 8, 32, 32]
    assert [p.run.train.steps for p in runs] == [424, 424, 1695, 1695]  # 1e9 / (8 * 16 * 18432) = 423.9
    rate = 2.0 * 4888**-0.5 * (424 * 8 * 16) ** -0.1
    assert runs[0].run.optimizer.learning_rate == pytest.approx(rate, rel=1e-4)
    assert runs[1].run.optimizer.learning_rate == pytest.approx(2 * rate, rel=1e-4)
    assert runs[0].tokens == 424 * 8 * 16
    assert runs[0].lr_source.startswith("rule:")
    assert runs[0].lr_source.endswith(" fitted to 0123456789abcdef")
    assert runs[1].lr_source == runs[0].lr_source + " x 2"
    assert len({p.program for p in runs}) == 2


def test_identity_depends_on_what_the_rule_says_and_not_on_its_file(experiment, facts, written):
    ruled = plan(experiment(sweep__rule=written("batch_tokens", None), sweep__budgets=(1e9,)), facts).runs
    for planned in ruled:
        rate = planned.run.optimizer.learning_rate
        alone = experiment(optimizer__learning_rate=rate, sweep__budgets=(1e9,))
        same = {p.run_id: p for p in plan(alone, facts).runs}
        assert same[planned.run_id].run == planned.run
        assert same[planned.run_id].lr_source == "optimizer.learning_rate"
    assert {p.run.train.batch_size for p in ruled} == {4}  # without a law of the batch, the configured one


def test_rates_that_the_check_adds_keep_the_batch(experiment, facts, written):
    small = {"sweep__budgets": (1e9,), "sweep__widths": (8,), "sweep__depths": (1,)}
    grid = plan(experiment(sweep__rule=written(), sweep__lr_check=True, **small), facts)
    (planned,) = grid.runs
    rows = [{"run_id": planned.run_id, "status": "finished", "loss": 2.0}]
    added = next_rates(grid, rows)
    assert [(p.run.train.batch_size, p.run.train.steps) for p in added] == [(8, 424)] * 2
    assert {p.lr_source for p in added} == {"sweep.lr_check"}


def test_sources_and_extrapolation_are_said(experiment, facts, written):
    told = show.totals(plan(experiment(sweep__rule=written()), facts), 2)
    assert any("0.5 N^0 D^0.5" in line and "rule:" in line for line in told)
    assert not any("outside" in line for line in told)
    narrow = written("range.n_params", [1e4, 2e4])
    (outside,) = [line for line in show.totals(plan(experiment(sweep__rule=narrow), facts), 2) if "outside" in line]
    assert "N 4888 to 4.112e+04 where it was measured at 1e+04 to 2e+04" in outside
    assert "D " not in outside
    fixed = plan(experiment(sweep__lr_coefficient=2.0), facts)
    assert fixed.notes == ("learning rate 2 N^0 D^0: sweep.lr_*",)
    assert {p.lr_source for p in fixed.runs} == {"sweep.lr_*"}


def test_batches_stay_whole_and_positive(experiment, facts, written):
    tiny = plan(experiment(sweep__rule=written("batch_tokens.coefficient", 1e-90), sweep__budgets=(1e9,)), facts)
    assert {p.run.train.batch_size for p in tiny.runs} == {1}
    vast = plan(experiment(sweep__rule=written("batch_tokens.coefficient", 1e90), sweep__budgets=(1e9,)), facts)
    assert not vast.runs
    assert "budget too small: 0 steps" in vast.refusals[0].reason
    odd = plan(
        experiment(sweep__rule=written(), sweep__budgets=(1e9,), train__batch_size=3, train__accumulation=3), facts
    )
    assert "batch of 8 by the rule; allowed: a multiple of 3" in odd.refusals[0].reason
    few = plan(experiment(sweep__rule=written(), sweep__budgets=(1e9,), train__unique_examples=7), facts)
    assert "batch of 8 by the rule; allowed: at most train.unique_examples = 7" in few.refusals[0].reason


@pytest.mark.parametrize(
    "path, value, words",
    [
        ("format", 1, "format: 1; allowed: 2"),
        ("base_width", 8.0, "base_width: 8.0; allowed: a whole number, 0 where none is read"),
        ("base_depth", None, "base_depth: None; allowed: a whole number"),
        ("base_width", 16, "train.base_width: 64; allowed: 16, which"),
        ("base_depth", 0, "train.base_depth: 2; allowed: 0, which"),
        ("learning_rate", None, "learning_rate: None; allowed: an object"),
        ("learning_rate.coefficient", 0, "learning_rate.coefficient: 0; allowed: a number"),
        ("learning_rate.coefficient", math.nan, "learning_rate.coefficient: nan"),
        ("learning_rate.coefficient", "1", "learning_rate.coefficient: '1'"),
        ("learning_rate.coefficient", True, "learning_rate.coefficient: True"),
        ("learning_rate.exponents.tokens", 4, "exponents.tokens: 4; allowed: a number, -3 to 3"),
        ("batch_tokens", 3, "batch_tokens: 3; allowed: an object"),
        ("range.tokens", [1], "range.tokens: \\[1\\]; allowed: two numbers"),
        ("range.tokens", [1, -1], "range.tokens: -1"),
        ("source.table", "", "source.table: ''; allowed: a short text"),
        ("source.table", "a\nb", "source.table"),
        ("parametrization", "mup", "train.parametrization: completep; allowed: mup"),
        ("optimizer", "sgd", "optimizer.name: adamw; allowed: sgd"),
    ],
)
def test_a_bad_rule_is_one_line(experiment, facts, written, path, value, words):
    with pytest.raises(ConfigError, match=words) as caught:
        plan(experiment(sweep__rule=written(path, value)), facts)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"[" * 100_000, b"[]", b"null", b'{"format": 1e999}'])
def test_what_is_no_rule_at_all(data, tmp_path):
    (tmp_path / "rule.json").write_bytes(data)
    with pytest.raises(ConfigError, match=r"^sweep.rule: "):
        rule.read(str(tmp_path / "rule.json"))


def test_a_rule_and_a_coefficient_contradict(experiment, facts, written, tmp_path):
    with pytest.raises(ConfigError, match=r"sweep.lr_coefficient: 2; allowed: 0 with sweep.rule"):
        plan(experiment(sweep__rule=written(), sweep__lr_coefficient=2.0), facts)
    with pytest.raises(OSError):
        plan(experiment(sweep__rule=str(tmp_path / "nowhere.json")), facts)


@pytest.mark.parametrize(
    "name, widths, depths, said",
    [
        ("standard", (8, 16), (1,), "sizes under standard"),
        ("standard", (8,), (1, 2), "sizes under standard"),
        ("standard", (8,), (1,), ""),
        ("mup", (8, 16), (1,), ""),
        ("mup", (8,), (1, 2), "depths under mup"),
        ("completep", (8, 16), (1, 2), ""),
    ],
)
def test_one_rate_for_sizes_that_it_will_not_suit_is_a_caution(experiment, facts, name, widths, depths, said):
    grid = experiment(sweep__widths=widths, sweep__depths=depths, sweep__shapes_per_budget=0)
    grid = config.replace(grid, {"train.parametrization": name, "sweep.budgets": (1e9,), "sweep.min_steps": 2})
    notes = plan(grid, facts).notes
    assert notes[0] == "learning rate: optimizer.learning_rate"
    assert [note for note in notes if "caution" in note] == [note for note in notes[1:] if said and said in note]
    assert len(notes) == (2 if said else 1)
