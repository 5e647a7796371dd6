"""Runs of a sweep on more than one machine. The driver stays the only writer of the runs table.

Workdir, task and this package are read by every node under the same paths (a shared file system, or a copy of the code
and the data on each), and checkpoints in the workdir are what a run goes on from wherever it is begun again.

ray_pool, ray_engine       actors of a Ray cluster, that live from run to run
slurm_pool, slurm, spool   job arrays of SLURM; runs and rows are plain JSON in the workdir
slurm_job                  what such a job does
"""
