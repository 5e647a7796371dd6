"""Training: the one loop, its compiled step, checkpoints and watching."""
