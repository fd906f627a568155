"""How the learning rate moves over a training.

`interface.py` says what is declared of a schedule, `declarations/` holds one file each, `registry.py` finds them, and
`schedule.py` puts one behind the warm-up and in front of an optimiser. Only that file loads PyTorch.
"""
