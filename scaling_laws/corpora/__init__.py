"""Corpora larger than memory: text from anywhere into checksummed shards of tokens, with an index and a manifest.

`sources` finds the text and cuts it into units of work, `readers` gives the documents of one, `scan` hashes them,
`duplicates` finds copies, `shards` writes tokens, `drafts` hashes and writes at once, `prepare` does all of it.
"""
