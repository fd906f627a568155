"""Training and testing: the plan of a run, the Lightning module, optimisers, schedules, checkpoints, callbacks."""
