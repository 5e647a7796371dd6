"""Data and loss: `catalog.load` gives a Task, `batches` the order it is read in, `metrics` what a loss means."""
