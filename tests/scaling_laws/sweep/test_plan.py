import math
import time

import pytest

from scaling_laws import config, spec
from scaling_laws.config import ConfigError
from scaling_laws.sweep import show
from scaling_laws.sweep.pace import Pace
from scaling_laws.sweep.plan import plan
from scaling_laws.sweep.planned import TaskFacts, nearest_integer
from scaling_laws.tasks.task import ENDLESS

# By hand, per token, for rms norm, rotary positions, gelu, a free head, context 16 and vocabulary 256; a block has
# 4 w^2 attention weights and 8 w^2 in its feed-forward branch; products are 2 FLOPs a weight, attention adds 2 * 2 L w,
# and the backward pass twice the forward pass:
#   N = 2 * 256 w + d (12 w^2 + 2 w) + w        C / D = 3 * (2 (12 d w^2 + 256 w) + d 4 * 16 w)
# w = 8,  d = 1: N =  4096 +  768 + 16 + 8  =  4888   C/D = 3 (1536 + 4096 + 512)       = 18432
# w = 16, d = 2: N =  8192 + 6208 + 16      = 14416   C/D = 3 (12288 + 8192 + 2048)     = 67584
# w = 32, d = 1: N = 16384 + 12352 + 32     = 28768   C/D = 3 (24576 + 16384 + 2048)    = 129024
# A step is 4 * 16 = 64 tokens, so the budget of 1e9 takes 1e9 / (64 C/D) steps = 847.71, 231.19, 121.10.
BY_HAND = [
    (8, 1, 4888, 848, 848 * 64, 848 * 64 * 18432),
    (16, 2, 14416, 231, 231 * 64, 231 * 64 * 67584),
    (32, 1, 28768, 121, 121 * 64, 121 * 64 * 129024),
]


@pytest.mark.parametrize("width, depth, n_params, steps, tokens, flops", BY_HAND)
def test_rows_by_hand(experiment, facts, width, depth, n_params, steps, tokens, flops):
    (row,) = [p for p in plan(experiment(), facts).runs if p.shape == (width, depth) and p.budget == 1e9]
    assert row.counts.n_params == n_params
    assert row.run.train.steps == steps
    assert row.tokens == tokens
    assert row.flops == flops
    assert row.epochs == pytest.approx(tokens / 1e7)
    assert row.tokens_per_param == pytest.approx(tokens / n_params)
    assert abs(row.flops / 1e9 - 1) < 0.02


def test_every_shape_at_every_budget_once(experiment, facts):
    planned = plan(experiment(), facts)
    triples = [(p.budget, *p.shape) for p in planned.runs]
    assert triples == [(c, w, d) for c in (1e9, 4e9) for w in (8, 16, 32) for d in (1, 2)]
    assert len({p.run_id for p in planned.runs}) == len(planned.runs)
    assert not planned.refusals


def test_a_fixed_width_or_depth_narrows_its_axis(experiment, facts):
    assert {p.shape for p in plan(experiment(model__width=16), facts).runs} == {(16, 1), (16, 2)}
    assert {p.shape for p in plan(experiment(model__depth=3), facts).runs} == {(8, 3), (16, 3), (32, 3)}


def test_narrowing_changes_no_run(experiment, facts):
    whole = {p.run_id for p in plan(experiment(), facts).runs}
    assert {p.run_id for p in plan(experiment(model__width=16, sweep__budgets=(4e9,)), facts).runs} < whole


def test_depth_follows_an_aspect_ratio_within_limits(experiment, facts):
    grid = experiment(sweep__widths=(8, 24, 40, 96), sweep__aspect_ratio=16.0, sweep__depths=(1, 4))
    grid = config.replace(grid, {"sweep.budgets": (1e10,)})
    # .5 -> 1, 1.5 -> 2, 2.5 -> 3: halves up; 6 -> 4 and .5 -> 2 at the limits
    assert {p.shape for p in plan(grid, facts).runs} == {(8, 1), (24, 2), (40, 3), (96, 4)}
    deeper = config.replace(grid, {"sweep.depths": (2, 3)})
    assert {p.shape for p in plan(deeper, facts).runs} == {(8, 2), (24, 2), (40, 3), (96, 3)}


def test_halves_go_up():
    assert [nearest_integer(x) for x in (0.49, 0.5, 1.5, 2.5, 2.51)] == [0, 1, 2, 3, 3]


def test_shapes_nearest_the_centre(experiment, facts):
    # N of the six shapes: 4888, 5672, 11312, 14416, 28768, 41120; the centre of 1e9 is 12000 and, with exponent
    # 1/2, that of 4e9 is 24000
    grid = experiment(sweep__shapes_per_budget=2, sweep__center=12000 * math.sqrt(1e3), sweep__center_exponent=0.5)
    sizes = {c: {p.counts.n_params for p in plan(grid, facts).runs if p.budget == c} for c in (1e9, 4e9)}
    assert sizes == {1e9: {11312, 14416}, 4e9: {14416, 28768}}


def test_without_a_centre_the_middle_of_the_shapes(experiment, facts):
    # sqrt(4888 * 41120) = 14177
    grid = experiment(sweep__shapes_per_budget=2, sweep__budgets=(1e9,))
    assert {p.counts.n_params for p in plan(grid, facts).runs} == {11312, 14416}


def test_seeds_and_extra_seeds(experiment, facts):
    grid = experiment(sweep__seeds=(3,), sweep__extra_seeds=(3, 5), sweep__extra_seed_shapes=2)
    grid = config.replace(grid, {"sweep.extra_seed_budgets": 1, "sweep.center": 12000 * 1e3**0.5})
    runs = plan(grid, facts).runs
    extra = [p for p in runs if p.purpose == "extra_seed"]
    assert {(p.budget, p.counts.n_params, p.run.train.seed) for p in extra} == {(1e9, 11312, 5), (1e9, 14416, 5)}
    assert all(p.run.train.seed == p.run.train.data_seed for p in runs)
    assert {p.run.train.seed for p in runs if p.purpose == "grid"} == {3}


def test_rate_by_rule_and_multipliers(experiment, facts):
    # StepLaw's form: 1.8 N^-.713 D^.307 at N = 4888, D = 54272 by hand: e^(ln 1.8 - .713 ln 4888 + .307 ln 54272)
    grid = experiment(sweep__lr_coefficient=1.8, sweep__lr_n_exponent=-0.713, sweep__lr_d_exponent=0.307)
    grid = config.replace(grid, {"sweep.lr_multipliers": (2.0, 0.5), "sweep.budgets": (1e9,)})
    rates = [p.run.optimizer.learning_rate for p in plan(grid, facts).runs if p.shape == (8, 1)]
    rule = math.exp(0.587787 - 0.713 * 8.494539 + 0.307 * 10.901763)
    assert rates == pytest.approx([rule / 2, 2 * rule], rel=1e-3)


def test_without_a_rule_the_configured_rate(experiment, facts):
    grid = experiment(optimizer__learning_rate=0.01, sweep__lr_multipliers=(1.0, 3.0))
    assert {p.run.optimizer.learning_rate for p in plan(grid, facts).runs} == {0.01, 0.03}


def test_equal_runs_of_two_budgets_are_done_once(experiment, facts):
    runs = plan(experiment(sweep__budgets=(1e9, 1.0000001e9)), facts).runs
    assert len(runs) == 6
    assert {p.budget for p in runs} == {1e9}


def test_refusals_say_why(experiment, facts):
    grid = experiment(sweep__min_steps=200, sweep__widths=(8, 20, 32), sweep__depths=(1,), sweep__budgets=(1e9,))
    planned = plan(grid, facts)
    assert [p.shape for p in planned.runs] == [(8, 1)]
    reasons = {(r.width, r.where): r.reason for r in planned.refusals}
    assert "multiple of model.head_dim = 8" in reasons[20, "everywhere"]
    assert "121 steps" in reasons[32, "budget 1e+09"]


def test_steps_in_place_of_budgets_are_a_grid_over_size_and_data(experiment, facts):
    grid = experiment(sweep__steps=(3000, 300), sweep__widths=(8, 16, 20), sweep__depths=(1,), sweep__budgets=())
    grid = config.replace(grid, {"sweep.shapes_per_budget": 1, "sweep.center": 1.0, "sweep.seeds": (0, 1)})
    planned = plan(grid, facts)
    assert [(p.shape, p.run.train.steps, p.run.train.seed) for p in planned.runs] == [
        ((width, 1), steps, seed) for steps in (300, 3000) for width in (8, 16) for seed in (0, 1)
    ]
    assert {p.budget for p in planned.runs} == {None}
    assert all(p.tokens == p.run.train.steps * 4 * 16 for p in planned.runs)
    assert {r.where for r in planned.refusals} == {"everywhere"}
    lines = [line.split() for line in show.table(planned, 1)[1:5]]  # one for both seeds
    assert [(words[0], words[1], words[7]) for words in lines] == [
        ("-", width, steps) for steps in ("300", "3,000") for width in ("8", "16")
    ]
    few = plan(config.replace(grid, {"sweep.max_epochs": 0.01}), facts)
    assert {p.run.train.steps for p in few.runs} == {300}
    assert {(r.where, r.reason.split(":")[0]) for r in few.refusals if r.level} == {("3,000 steps", "data too small")}


def test_unique_examples_are_what_an_epoch_is(experiment, facts):
    """848 steps of 4 windows are 54272 tokens; 1000 windows of 16 tokens are 16000."""
    (row,) = [p for p in plan(experiment(train__unique_examples=1000), facts).runs if p.tokens == 848 * 64]
    assert row.epochs == pytest.approx(848 * 64 / 16000)
    refused = plan(experiment(train__unique_examples=1000, sweep__max_epochs=3.0), facts).refusals
    assert "data too small: 3.39 epochs" in {r.reason.partition(",")[0] for r in refused}
    most = (10_000_000 - 16) // 16
    with pytest.raises(ConfigError, match=f"train.unique_examples: 700000; allowed: at most {most}, the windows"):
        plan(experiment(train__unique_examples=700_000), facts)


def test_refuses_too_many_epochs(experiment):
    little = TaskFacts(unique_tokens=20000, corpus_hash="", spec=spec.text(256, 16))
    planned = plan(experiment(sweep__max_epochs=1.0, sweep__budgets=(1e9,)), little)
    refused = {(r.width, r.depth): r.reason for r in planned.refusals}
    assert "2.71 epochs" in refused[8, 1]  # 54272 / 20000
    assert (16, 2) not in refused  # 14784 tokens


def test_refuses_more_examples_than_a_stream_has(experiment):
    endless = TaskFacts(ENDLESS, "", spec.Spec("noise", (), 1, "squared_error", source="stream", stream="keys"))
    grid = {"model.family": "features", "model.head_dim": 16, "sweep.widths": (8,), "sweep.depths": (1,)}
    planned = plan(config.replace(experiment(), grid | {"sweep.budgets": (64e9, 96e9)}), endless)  # C/D = 2 (2 w) = 32
    assert [(one.budget, one.tokens) for one in planned.runs] == [(64e9, 2 * 10**9)]
    assert [(one.level.budget, one.reason) for one in planned.refusals] == [
        (96e9, "budget too large: 3000000000 examples, a stream has 2147483647")
    ]


def test_refuses_whole_steps_that_miss_the_budget(experiment, facts):
    # a budget of 10.4 steps of width 8, depth 1 becomes 10, 3.8 % short
    planned = plan(experiment(sweep__budgets=(10.4 * 64 * 18432,), sweep__min_steps=2, model__width=8), facts)
    (miss,) = [r for r in planned.refusals if r.depth == 1]
    assert "3.8 %" in miss.reason


def test_refuses_a_rate_out_of_range(experiment, facts):
    planned = plan(experiment(optimizer__learning_rate=900.0, sweep__lr_multipliers=(1.0, 2.0)), facts)
    assert {p.run.optimizer.learning_rate for p in planned.runs} == {900.0}
    assert len(planned.refusals) == len(planned.runs)
    assert "1.8e+03" in planned.refusals[0].reason


def test_only_shapes_near_the_kept_ones_are_refused_aloud(experiment, facts):
    grid = experiment(sweep__shapes_per_budget=1, sweep__center=5000 * 1e3**0.5, sweep__min_steps=240)
    assert not plan(config.replace(grid, {"sweep.budgets": (1e9,)}), facts).refusals


@pytest.mark.parametrize(
    "changes, word",
    [
        ({"sweep__widths": ()}, "sweep.widths"),
        ({"sweep__depths": ()}, "sweep.depths"),
        ({"sweep__budgets": ()}, "sweep.budgets"),
        ({"sweep__budgets": (1.0,)}, "sweep.budgets"),
        ({"train__batch_size": 10**6}, "train.batch_size"),
        ({"task__tokenizer": "bpe"}, "task.vocab_size"),
    ],
)
def test_bad_settings_end_in_one_line(experiment, facts, changes, word):
    with pytest.raises(ConfigError, match=word) as caught:
        plan(experiment(**changes), facts)
    assert "\n" not in str(caught.value)


def test_expected_time_counts_training_and_evaluation(experiment, facts):
    row = plan(experiment(), facts, Pace(default=1e6)).runs[0]
    evaluated = 1024 + 3 * 256
    assert row.expected_seconds == pytest.approx((848 * 64 * 18432 + evaluated * 18432 / 3) / 1e6)


def test_an_aspect_ratio_next_to_nothing_gives_the_deepest(experiment, facts):
    grid = experiment(sweep__widths=(8,), sweep__aspect_ratio=5e-324, sweep__depths=(1, 4))
    planned = plan(grid, facts)
    assert {p.shape for p in planned.runs} | {(r.width, r.depth) for r in planned.refusals} == {(8, 4)}


def test_a_centre_next_to_nothing_keeps_the_smallest(experiment, facts):
    grid = experiment(sweep__center=5e-324, sweep__center_exponent=1.5, sweep__shapes_per_budget=1)
    assert {p.shape for p in plan(grid, facts).runs} == {(8, 1)}


MANY = tuple(range(1, config.MOST_VALUES + 1))
LEVELS = tuple(1e9 * (1 + i / 10) for i in range(20))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"sweep__widths": MANY, "sweep__depths": MANY[:1000]}, "sweep.widths: 20000000 shapes and budgets"),
        ({"sweep__seeds": (*MANY, 0)}, "sweep.seeds: 10001 values; allowed: at most 10000"),
        ({"sweep__seeds": MANY, "sweep__budgets": LEVELS}, "sweep.seeds: more than 100000 runs"),
        ({"sweep__extra_seeds": MANY, "sweep__budgets": LEVELS}, "sweep.seeds: more than 100000 runs"),
        ({"sweep__lr_multipliers": tuple(1e-6 * i for i in MANY), "sweep__seeds": (0, 1)}, "more than 100000 runs"),
        ({"sweep__seeds": MANY, "sweep__lr_multipliers": (1.0, 2.0)}, "sweep.seeds: more than 100000 runs"),
    ],
)
def test_plans_without_end_are_refused_at_once(experiment, facts, changes, message):
    began = time.process_time()
    with pytest.raises(ConfigError, match=message):
        plan(experiment(**changes), facts)
    assert time.process_time() - began < 3
