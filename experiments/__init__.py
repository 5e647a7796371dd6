"""Binaries: thin ones that parse, call the library and print; recipes in `configs/`."""
