"""When and how much a run is pruned, against the formulas; what is refused; what a program and an identity see."""

import re
from fractions import Fraction

import pytest

from scaling_laws import config, hyper, spec, validation
from scaling_laws.config import ConfigError, PruneConfig, RunConfig, replace
from scaling_laws.techniques import catalog, pruning

TEXT, NUMBERS = spec.text(256, 128), spec.Spec("vector", (5,), 3)


def run_of(**changes):
    return replace(RunConfig(), {name.replace("__", "."): value for name, value in changes.items()})


def pruned(**changes):
    return run_of(**({"prune__sparsity": 0.5} | changes))


def test_gradual_pruning_follows_the_cubic():
    """Zhu and Gupta 2017, eq. 1: s_t = s_f + (s_i - s_f) (1 - (t - t_0) / (n dt))^3, here from s_i = 0 on."""
    prune = PruneConfig(sparsity=0.8, method="gradual", begin=0.2, end=0.7, events=10)
    found = pruning.events(prune, 1000)
    assert [event.step for event in found] == [*range(250, 701, 50)]
    for step, share in found:
        assert share == pytest.approx(float(Fraction(4, 5) * (1 - (1 - Fraction(step - 200, 500)) ** 3)))
    assert found[-1].share == 0.8


def test_of_prunings_that_fall_on_one_step_the_last_counts():
    found = pruning.events(PruneConfig(sparsity=0.8, begin=0.0, end=1.0, events=100), 7)
    assert [event.step for event in found] == [*range(8)]
    assert found[-1].share == 0.8


@pytest.mark.parametrize("begin, step", [(0.0, 0), (0.25, 10), (1.0, 40)])
def test_one_shot_is_one_pruning(begin, step):
    prune = PruneConfig(sparsity=0.7, method="one_shot", begin=begin)
    assert pruning.events(prune, 40) == [(step, 0.7)]


@pytest.mark.parametrize("rounds", [1, 2, 5])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.4])
def test_a_rewound_run_is_whole_trainings_of_whole_steps(rounds, share):
    prune = PruneConfig(sparsity=0.9, method="rewind", rounds=rounds, rewind=share)
    for steps in range(20, 80):
        horizon, back = pruning.horizon(prune, steps), pruning.rewound_to(prune, steps)
        trainings = [*range(horizon), *[*range(back, horizon)] * rounds]
        assert [pruning.update(prune, steps, index) for index in range(steps)] == trainings
        assert share * horizon - 1e-9 <= back < share * horizon + rounds + 1
        ends = [index for index in range(1, steps) if trainings[index] != trainings[index - 1] + 1]
        assert [event.step for event in pruning.events(prune, steps)] == ends
    left = [1 - event.share for event in pruning.events(prune, 100)]
    factors = [after / before for before, after in zip([1.0, *left], left, strict=False)]
    assert factors == pytest.approx([0.1 ** (1 / rounds)] * rounds)


def test_the_schedule_ends_with_each_training():
    assert hyper.hyperparameters(pruned(prune__method="rewind", train__steps=100))["horizon"] == 28
    assert pruning.rewound_to(pruned(prune__method="rewind").prune, 100) == 4
    assert hyper.hyperparameters(pruned(train__steps=100))["horizon"] == 100


PATIENT = {"regularise__patience": 2, "task__name": "table"}
ON_TRUNK = {"optimizer__schedule": "wsd", "optimizer__warmup_steps": 4}
REWOUND = {"prune__method": "rewind"}


@pytest.mark.parametrize(
    "run, line",
    [
        (pruned(prune__sparsity=1.0), "prune.sparsity: 1.0; allowed: number, 0 to 0.99"),
        (pruned(prune__method="magic"), "prune.method: 'magic'; allowed: one_shot, gradual, rewind"),
        (pruned(prune__begin=0.75), "prune.end: 0.75; allowed: above prune.begin = 0.75"),
        (pruned(**REWOUND, prune__rounds=9, train__steps=9), "prune.rounds: 9; allowed: fewer in a run of 9 steps"),
        (
            pruned(**ON_TRUNK),
            "prune.sparsity: 0.5; allowed: 0 with optimizer.warmup_steps and wsd, for the trunk",
        ),
        (pruned(**PATIENT), "prune.sparsity: 0.5; allowed: 0 with regularise.patience, whose best parameters may be"),
        (
            pruned(**REWOUND, train__average="ema"),
            "prune.method: rewind; allowed: one_shot, gradual with train.av",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(run, line):
    with pytest.raises(ConfigError, match=re.escape(line)) as error:
        validation.validate_run(run)
    assert "\n" not in str(error.value)


def test_a_warm_up_longer_than_a_training_is_refused():
    run = pruned(**REWOUND, train__steps=100, optimizer__warmup_steps=29)
    with pytest.raises(ConfigError, match=r"optimizer.warmup_steps: 29; allowed: at most 28"):
        validation.validate_run(run)


SHALLOW = {"model__family": "mlp", "model__depth": 1}


def test_a_model_without_hidden_matrices_is_refused():
    with pytest.raises(ConfigError, match=r"prune.sparsity: 0.5; allowed: 0 with a model.family=mlp that learns"):
        validation.check_task(pruned(**SHALLOW), NUMBERS)
    for run in (pruned(**SHALLOW, prune__outer=True), pruned(**SHALLOW | {"model__depth": 2}), run_of(**SHALLOW)):
        validation.check_task(run, NUMBERS)


@pytest.mark.parametrize("changes", [{}, REWOUND, {"prune__method": "one_shot", "prune__begin": 1.0}])
def test_what_can_be_is_allowed(changes):
    validation.validate_run(pruned(**changes))
    validation.check_task(pruned(**changes), TEXT)


def test_a_program_depends_on_whether_anything_is_pruned_alone():
    runs = pruned(), pruned(prune__sparsity=0.9, **REWOUND), pruned(prune__method="one_shot", prune__outer=True)
    assert len({catalog.Forms.of(run) for run in runs}) == len({config.form(run) for run in runs}) == 1
    assert config.form(run_of(**REWOUND)) == config.form(run_of()) != config.form(runs[0])


def test_what_a_row_says_of_it():
    assert catalog.of(pruned()) == ("prune", 0.5)
    assert catalog.of(pruned(prune__sparsity=0.0, **REWOUND)) == ("none", 0.0)
    assert catalog.of(pruned(regularise__l2=0.25)) == ("l2+prune", 0.75)


def test_the_identity_of_a_run_without_it_is_as_it_was():
    assert not any(path.startswith("prune") for path in config.non_defaults(run_of()))
    assert config.identity(pruned(), "") != config.identity(run_of(), "")


def test_settings_that_nothing_reads_belong_to_no_identity():
    baseline = replace(RunConfig(), {"prune.method": "rewind", "prune.outer": True, "prune.rounds": 7})
    assert config.identity(baseline, "feed") == config.identity(RunConfig(), "feed")
    gradual = replace(RunConfig(), {"prune.sparsity": 0.5})
    assert config.identity(replace(gradual, {"prune.rounds": 7}), "feed") == config.identity(gradual, "feed")
    for changes in ({"prune.events": 7}, {"prune.end": 0.6}, {"prune.outer": True}, {"prune.method": "one_shot"}):
        assert config.identity(replace(gradual, changes), "feed") != config.identity(gradual, "feed")
