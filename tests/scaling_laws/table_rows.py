"""A row of the runs table and a curve, for the tests of the table."""


def a_row(**changes):
    row = {
        "run_id": "r1",
        "status": "finished",
        "purpose": "grid",
        "family": "transformer",
        "task": "text",
        "parametrization": "standard",
        "width": 16,
        "depth": 2,
        "n_heads": 1,
        "vocab_size": 256,
        "context": 128,
        "batch_size": 16,
        "steps": 100,
        "steps_done": 100,
        "n_params": 10_000,
        "n_non_embedding": 6_000,
        "n_effective": 7_000,
        "tokens": 204_800,
        "unique_tokens": 1_000_000,
        "epochs": 0.2048,
        "flops": 1e10,
        "flops_6nd": 1.2e10,
        "flops_non_embedding": 8e9,
        "flops_effective": 9e9,
        "optimizer": "adamw",
        "schedule": "cosine",
        "learning_rate": 3e-3,
        "weight_decay": 0.0,
        "seed": 0,
        "data_seed": 0,
        "loss": 2.5,
        "corpus_hash": "c0ffee",
        "config": "{}",
    }
    return row | changes


def a_curve(n=2):
    point = {"tokens": 10, "flops": 1e3, "learning_rate": 1e-3, "train_loss": 3.0}
    return [point | {"step": 10 * i} for i in range(1, n + 1)]
