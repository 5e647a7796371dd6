"""What the binary experiments.ensemble does."""
