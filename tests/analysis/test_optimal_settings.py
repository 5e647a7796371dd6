"""The best settings of each cell: by hand, and the published laws from the published grids."""

import numpy as np
import pytest
from known import published

from analysis.fit import fit
from analysis.load import DataError, Runs, load
from analysis.optimal_settings import optimal_settings
from scaling_laws.config import ConfigError


def test_the_mean_is_geometric_and_over_the_best_share():
    runs = Runs({
        "n_params": np.array([1e6] * 4 + [2e6] * 2), "tokens": np.full(6, 1e9),
        "learning_rate": np.array([1e-3, 4e-3, 1e-2, 1e-1, 2e-3, 5e-3]),
        "loss": np.array([3.0, 3.1, 4.0, 5.0, 2.9, 2.8]),
    })  # fmt: skip
    found = optimal_settings(runs, share=0.5)
    assert found["learning_rate"] == pytest.approx([2e-3, 5e-3])
    assert found["loss"] == pytest.approx([3.0, 2.8])
    assert found["tried"].tolist() == [4, 2]
    assert "batch_tokens" not in found


def test_the_step_law():
    """lr = 1.797 N^-.7129 D^.3075 and batch = .581 D^.5709, standard deviations .030, .019 and .019."""
    path = published("steplaw/dense_lr_bs_loss.csv")
    runs = load(path, {"n_params": "N", "tokens": "D", "learning_rate": "lr", "loss": "smooth loss"})
    best = optimal_settings(runs.with_columns(batch_tokens=2048 * runs["bs"]))
    assert len(best) == 17
    rate = fit(best, law="learning_rate", objective="log_mse").coefficients
    assert rate["x_n_params"] == pytest.approx(-0.7129, abs=3 * 0.030)
    assert rate["x_tokens"] == pytest.approx(0.3075, abs=3 * 0.019)
    batch = fit(best, law="batch", objective="log_mse").coefficients
    assert batch["x_tokens"] == pytest.approx(0.5709, abs=3 * 0.019)
    design = np.stack([np.ones(17), np.log(best["n_params"]), np.log(best["tokens"])], axis=1)
    own = np.linalg.lstsq(design, np.log(best["learning_rate"]), rcond=None)[0]
    assert [np.log(rate["k"]), rate["x_n_params"], rate["x_tokens"]] == pytest.approx(own, rel=1e-6)


def test_what_is_refused():
    runs = Runs({"n_params": np.ones(2), "tokens": np.ones(2), "loss": np.ones(2)})
    with pytest.raises(DataError, match="learning_rate"):
        optimal_settings(runs)
    with pytest.raises(ConfigError, match="share"):
        optimal_settings(runs, share=0.0)
