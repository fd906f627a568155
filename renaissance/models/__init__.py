"""Encoders, decoders and heads: what tasks compute with. Knows nothing of tasks and training."""
