"""One module a paper: its claim, its figures, and what of them can be had at which scale."""
