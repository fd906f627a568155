"""Trackers: what keeps and shows a run's metrics and pictures, one file a tracker.

`interface.py` says what a tracker is, `registry.py` which there are, and `dispatch.py` hands on what a run tells.
"""
