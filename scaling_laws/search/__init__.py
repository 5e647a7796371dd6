"""Search over any settings of a run: what to vary, who proposes, what it came to.

space      which settings, and their values        samplers   grid, random, TPE, Gaussian process
settings   a search as a whole                     trials     the trials, in a file that processes share
driver     trains them on the sweep's workers      result     what came out, as JSON
"""
