"""The runs of a comparison of schedules: which rates are tried, which are taken, and that tuning seeds stay apart."""

import math

import pytest

from experiments import schedules
from experiments.configs import trunks
from scaling_laws import spec
from scaling_laws.config import replace
from scaling_laws.sweep import study
from scaling_laws.sweep.planned import TaskFacts
from scaling_laws.sweep.summary import Summary

BEST = {"cosine": {5e10: 2.0, 1e11: 0.5, 2e11: 1.0}, "wsd": {1e11: 2.0}}  # times the recipe's rate


@pytest.fixture
def asked(monkeypatch):
    """Sweeps that end at once, with a loss by the distance of the rate from BEST; (workdir, runs) of each."""
    done = []

    def train_runs(config, facts, runs, workdir, n_workers):
        done.append((workdir, runs))
        rows = []
        for one in runs:
            name, rate = one.run.optimizer.schedule, one.run.optimizer.learning_rate
            best = BEST.get(name, {}).get(one.budget, 1.0) * trunks.get_config().optimizer.learning_rate
            loss = 4 + math.log(rate / best) ** 2
            rows.append({"run_id": one.run_id, "learning_rate": rate, "loss": loss, "status": "finished"})
        return Summary((), 0, 0, train_runs.interrupted, 1.0), rows

    train_runs.interrupted = False
    monkeypatch.setattr(study, "train_runs", train_runs)
    monkeypatch.setattr(study, "facts_of", lambda config: TaskFacts(10**7, "c0ffee", spec.text(1024, 64)))
    done.append(train_runs)
    return done


def settings(runs):
    return sorted({(one.run.optimizer.schedule, one.budget, one.run.optimizer.learning_rate) for one in runs})


def test_each_cosine_budget_has_its_best_rate_and_the_trunk_that_of_the_middle(asked, tmp_path):
    config = trunks.get_config()
    assert len(list(schedules.train(config, tmp_path))) == 2
    (tuning, tried), (workdir, compared) = asked[1:]
    assert (tuning, workdir) == (tmp_path / "rates", tmp_path)
    assert len(tried) == 4 * 5 * 2
    assert {one.run.train.seed for one in tried}.isdisjoint(one.run.train.seed for one in compared)
    rate = config.optimizer.learning_rate
    assert settings(compared) == [
        *(("constant", budget, 2 * rate) for budget in config.sweep.budgets),
        *(("cosine", budget, pytest.approx(BEST["cosine"][budget] * rate)) for budget in config.sweep.budgets),
        *(("wsd", budget, 2 * rate) for budget in config.sweep.budgets),
    ]
    branches = [one for one in compared if one.run.optimizer.schedule == "wsd"]
    assert len({one.trunk for one in branches}) == len(config.sweep.seeds) == 5
    assert [one.begins_at > 0 for one in branches] == [one.budget > 5e10 for one in branches]


def test_one_factor_chooses_nothing(asked, tmp_path):
    (summary,) = schedules.train(trunks.get_config(), tmp_path, (1.0,))
    assert not summary.interrupted
    assert {rate for _, _, rate in settings(asked[1][1])} == {trunks.get_config().optimizer.learning_rate}


def test_what_is_interrupted_while_tuning_compares_nothing(asked, tmp_path):
    asked[0].interrupted = True
    (summary,) = schedules.train(trunks.get_config(), tmp_path)
    assert summary.interrupted
    assert len(asked) == 2


def test_the_best_rate_is_that_of_the_least_mean_and_an_edge_is_said(capsys):
    rows = [{"learning_rate": rate, "loss": loss, "status": "finished"} for rate, loss in ((0.1, 3.0), (0.2, 2.0))]
    rows.append({"learning_rate": 0.2, "loss": 5.0, "status": "finished"})
    rows.append({"learning_rate": 0.4, "loss": None, "status": "diverged"})
    assert schedules.best_rate(("cosine", 1e11), rows) == 0.1
    assert "cosine at 1e+11: peak rate 0.1, AT THE EDGE (0.1: 3.0000, 0.2: 3.5000, 0.4: inf)" in capsys.readouterr().out


def test_the_recipe_of_both_scales_shares_trunks(asked, tmp_path):
    from experiments.reproduce.recipes import schedules as recipe

    for scale in ("smoke", "cpu"):
        config = recipe.config(scale)
        runs = schedules._planned(config, study.facts_of(config)).runs
        assert all(one.trunk for one in runs), scale
    assert len(list(recipe.train("smoke", tmp_path))) == 1
    assert recipe.config("cpu") == replace(trunks.get_config(), {})
