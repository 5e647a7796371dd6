"""Plan a family of models at fixed compute, train it, keep every run in one typed table."""
