"""One documented recipe a file; name it with --config=experiments/configs/NAME.py."""
