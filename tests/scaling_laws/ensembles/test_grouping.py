"""Which runs make an ensemble."""

import pytest

from scaling_laws import families
from scaling_laws.config import ConfigError, ExperimentConfig, ModelConfig, replace
from scaling_laws.ensembles import grouping
from scaling_laws.spec import Spec
from scaling_laws.sweep.plan import plan
from scaling_laws.sweep.planned import TaskFacts

IMAGE = Spec("image", (8, 8, 1), 10)
FACTS = TaskFacts(1000, "c0ffee", IMAGE)
SWEEP = {"model.family": "mlp", "model.width": 32, "model.depth": 2, "sweep.steps": (60,), "sweep.seeds": (0, 3)}
EXPERIMENT = replace(ExperimentConfig(), SWEEP | {"sweep.max_epochs": 10.0})


def test_the_first_member_is_the_sweeps_own_run_and_the_others_differ_in_seeds():
    own = plan(EXPERIMENT, FACTS).runs
    bases = grouping.bases(EXPERIMENT, FACTS)
    assert [base.run_id for base in bases] == [run.run_id for run in own]  # what is kept is no identity
    found = grouping.ensembles("deep", bases[1], [1, 3], FACTS)
    assert [group.size for group in found] == [1, 3]
    assert found[0].members[0].run_id == found[1].members[0].run_id == own[1].run_id
    assert [one.run.train.seed for one in found[1].members] == [3, 103, 203]
    assert all(one.run.train.data_seed == one.run.train.seed for one in found[1].members)
    assert all(one.run.train.keep_parameters and one.flops == own[1].flops for one in found[1].members)


def test_memory_is_split_by_counts():
    (base, _) = grouping.bases(EXPERIMENT, FACTS)
    one, four = grouping.ensembles("deep", base, [1, 4], FACTS, split=True)
    assert one.members[0].run_id == base.run_id
    (width,) = {member.run.model.width for member in four.members}
    sizes = {
        w: families.count(ModelConfig("mlp", width=w, depth=2), IMAGE).n_params for w in (width - 1, width, width + 1)
    }
    ratios = {w: max(4 * n / base.counts.n_params, base.counts.n_params / (4 * n)) for w, n in sizes.items()}
    assert min(ratios, key=lambda w: ratios[w]) == width
    assert ratios[width] < 1.1


def test_widths_that_heads_do_not_divide_are_passed_over():
    model = ModelConfig("vit", width=16, depth=1, n_heads=4, patch=4)
    assert grouping.narrowed(model, IMAGE, families.count(model, IMAGE).n_params / 3) % 4 == 0


def test_seeds_that_would_meet_are_refused():
    with pytest.raises(ConfigError, match=r"sweep\.seeds: 100; allowed: below 100"):
        grouping.bases(replace(EXPERIMENT, {"sweep.seeds": (0, 100)}), FACTS)
