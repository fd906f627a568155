"""The settings in groups: one class for each section of `config.py`, which holds the defaults and the meanings."""
