"""The parts of experiments.known_exponents: the cases, the rows of one that is solved and not trained, what is measured
in their tables, and how it is said and drawn."""
