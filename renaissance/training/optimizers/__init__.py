"""Optimisers, and the parameter groups that they work on.

`interface.py` says what is declared of an optimiser, `declarations/` holds one file each, `registry.py` finds them,
`groups.py` says which parameters are in which group, and `build.py` makes the optimiser of a run. Declarations load no
PyTorch, so that the settings know them.
"""
