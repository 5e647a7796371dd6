"""The words that options may take, without the code behind them: --help answers before NumPy is imported."""

OBJECTIVES = ("huber", "lad", "log_mse", "mse", "log1p_mse")
INTERVALS = ("bootstrap", "bca", "profile", "delta")
EQUAL, SEED_NOISE = "none", "seed_noise"
WEIGHTS = f"{EQUAL}, {SEED_NOISE}, a column of standard errors, or a column to a power, as tokens^0.5"
PARAMS = ("n_params", "n_non_embedding", "n_effective")
FLOPS = ("flops", "6nd", "non_embedding", "effective")
LAWS = (
    *("chinchilla", "kaplan", "gadre", "data_constrained", "sparsity", "routing", "transfer", "error"),
    *("power", "power_floor", "power_sum", "m1", "m2", "m3", "m4", "broken_power"),
    *("precision", "learning_rate", "batch"),
)
