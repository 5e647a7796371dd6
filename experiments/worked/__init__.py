"""The parts of experiments.worked_cases: two classes from a hundred rows, a line, and a run with its parameters."""
