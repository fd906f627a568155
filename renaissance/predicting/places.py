"""What lies where around an output: the journal of its job, and what goes with it; told without PyTorch."""

from __future__ import annotations

from pathlib import Path

OUTPUTS = (".csv", ".jsonl", ".parquet", ".arrow")  # the endings of the kinds that are written
SUMMARY, REJECTED = "summary.json", "rejected.csv"


def partial_of(output: Path) -> Path:
    """Where the journal of an output lies."""
    return beside(output, "partial")


def beside(output: Path, what: str) -> Path:
    """A file that goes with an output."""
    return output.with_name(f"{output.name}.{what}")
