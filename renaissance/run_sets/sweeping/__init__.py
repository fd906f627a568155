"""Sweeps: which values are tried, by which search, and what came of each."""
