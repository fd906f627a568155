"""How a run of a set is started: as a process of this machine, or as a job."""
