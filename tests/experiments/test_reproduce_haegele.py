"""Haegele et al. 2024 from kept runs: where branches end beside cosine runs, the laws of both, and the cost."""

from pathlib import Path

import pytest

from experiments.reproduce import sweeps

KEPT = Path(__file__).parents[2] / "docs" / "results"


def test_from_kept_runs(verdicts, tmp_path):
    found = verdicts("haegele", f"--data={KEPT}", "--bootstrap=100")["schedules"]
    apart = [
        f"branch less cosine over one run's spread, {tokens} tokens" for tokens in ("126,976", "254,464", "508,416")
    ]
    assert [found[name][0] for name in apart] == ["no", "yes", "yes"]
    assert found[apart[0]][1] == pytest.approx(-4.06, abs=0.05)
    assert found["steps of the branches over those of separate runs"] == ("yes", pytest.approx(0.6577, abs=1e-4))
    assert found["b of branches over b of cosine runs"] == ("no", pytest.approx(0.878, abs=0.005))
    averages = {name for name in found.agrees if name.startswith("average")}
    assert len(averages) == 3
    assert averages <= found.those("yes")
    pictures = {path.name for path in (tmp_path / "haegele" / "schedules").glob("*.png")}
    assert pictures == {"loss_by_schedule.png", "cost_of_tokens.png"}


def test_runs_of_something_else_say_what_is_missing(reproduce, capsys):
    assert reproduce("--paper=haegele", f"--data={KEPT / sweeps.SWEEPS['text'].kept}") == 2
    assert "no cosine and wsd runs of the same tokens" in capsys.readouterr().err
