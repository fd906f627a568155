"""Sets of runs: one configuration with several seeds, and sweeps. Each run of a set is an ordinary one.

settings and command line → members → scheduler → launcher (a process here, a SLURM job) → run folders → tables
"""
