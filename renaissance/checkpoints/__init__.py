"""Checkpoints: read and written, and what a new model takes from them. Knows nothing of training."""
