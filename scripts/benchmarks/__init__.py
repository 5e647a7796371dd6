"""Benchmarks of the analysis: measured against SciPy and against the bars written beside each figure."""
