"""Encoders of one modality, and the transformer that reads two."""
