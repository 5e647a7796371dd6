"""Recipes of the catalogue's own runs, where they are more than a configuration of experiments/configs."""
