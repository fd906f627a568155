"""Metrics of whole texts, as the published ones are computed."""
