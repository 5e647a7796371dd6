"""What a source is worth: a planted law through all of the table, its noise, and what says nothing."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from analysis.load import DataError
from experiments.fine_tuned import Asked
from experiments.reproduce.entry import NO, OPEN, WIDE, YES, Own
from experiments.reproduce.papers import transfer
from experiments.reproduce.recipes import transfer as recipe

KEPT = Path(__file__).parents[2] / "docs" / "results"
K, ALPHA, BETA = 30.0, 0.5, 0.25
FLOOR, DECAY = 1.0, 0.3


def rows(sizes=(10_000, 40_000, 160_000), noise=0.0, frozen=0):
    """Runs from scratch of loss 1 + D^-.3 (at any N), and with a source those of D_F + K D_F^.5 N^.25 tokens."""
    rng, found = np.random.default_rng(0), []
    scratch, tuned = np.geomspace(1e3, 1e6, 200).astype(int).tolist(), (4000, 16_000, 64_000)
    for n, seed in itertools.product(sizes, (0, 1, 2)):
        for tokens, source in [*((d, None) for d in scratch), *((d, "source") for d in tuned)]:
            read = tokens + (K * tokens**ALPHA * n**BETA if source else 0.0)
            loss = (FLOOR + read**-DECAY) * np.exp(noise * rng.normal())
            about = {"run_id": f"{n} {seed} {tokens} {source}", "status": "finished", "source_run": source}
            about |= {"frozen_params": frozen if source else None, "width": n // 1000, "depth": 2, "n_params": n}
            found.append(about | {"tokens": tokens, "unique_tokens": tokens, "learning_rate": 0.01, "loss": loss})
    return found


def result(monkeypatch, bootstrap=60, **about):
    monkeypatch.setattr(transfer, "_rows", lambda workdir: rows(**about))
    return transfer.worth(Own("cpu", {"transfer": Path("runs")}, bootstrap))


def test_a_planted_law_comes_back(monkeypatch):
    found = result(monkeypatch)
    by_name = {one.name: one for one in found.quantities}
    alpha, beta = (by_name[f"{name}: exponent {what}"] for name, what in transfer.EXPONENTS.items())
    assert (alpha.here, beta.here) == pytest.approx((ALPHA, BETA), abs=2e-3)
    assert (alpha.agrees, beta.agrees) == (NO, NO)
    share = by_name["D_T / D_F at 4,000 tokens, N 10,000"]
    assert share.here == pytest.approx(K * 4000 ** (ALPHA - 1) * 10_000**BETA, rel=2e-3)
    assert share.agrees == OPEN
    layers = found.drawings[0].panels[0].layers
    solid = [layer for layer in layers if layer.name == "fitted here"]
    np.testing.assert_allclose(solid[-1].y, K * solid[-1].x ** ALPHA * 160_000**BETA, rtol=5e-3)


def test_noise_of_the_seeds_becomes_the_interval(monkeypatch):
    widths = []
    for noise in (2e-4, 1e-3):
        alpha, beta, *_ = result(monkeypatch, noise=noise).quantities
        assert alpha.interval[0] < ALPHA < alpha.interval[1]
        widths.append(alpha.interval[1] - alpha.interval[0])
    assert 3 < widths[1] / widths[0] < 8
    assert beta.agrees in (NO, WIDE, YES)


def test_of_one_size_there_is_no_exponent_of_n(monkeypatch):
    found = result(monkeypatch, sizes=(10_000,))
    assert [one.name.partition(":")[0] for one in found.quantities if ":" in one.name] == ["alpha"]
    assert found.quantities[0].here == pytest.approx(ALPHA, abs=2e-3)


def test_runs_of_which_a_part_rests_do_not_count(monkeypatch):
    with pytest.raises(DataError, match="is known for 0 numbers of tokens; allowed: two"):
        result(monkeypatch, frozen=1000)


def test_a_folder_without_a_table_is_refused(tmp_path):
    with pytest.raises(DataError, match=str(tmp_path)):
        transfer.worth(Own("cpu", {"transfer": tmp_path}, 20))


def test_a_table_without_sources_is_refused():
    with pytest.raises(DataError, match=r"no run has a source; allowed: runs of experiments.fine_tuning"):
        transfer.worth(Own("cpu", {"transfer": KEPT / "demo"}, 20))


def test_fine_tuning_is_never_longer_than_what_it_is_held_against():
    assert set(recipe.SIZES) == set(recipe.CHANGES)
    for asked in recipe.SIZES.values():
        assert isinstance(asked, Asked)
        assert max(asked.steps) * 3 <= max(asked.scratch_steps)
        assert set(asked.steps) <= set(asked.scratch_steps)
