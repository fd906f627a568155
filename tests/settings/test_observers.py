"""What observers get of the output."""

from __future__ import annotations

import time

import pytest
from sacred.utils import apply_backspaces_and_linefeeds

from renaissance.tracking.observers import last_states


@pytest.mark.parametrize(
    "text",
    ["", "one\ntwo\n", "\r 0%\r 50%\r100%\ndone\n", "a\r\nb\r\n", "half\rwhole", "open\r", "abc\b\bX\n", "\n\n\r\n"],
)
def test_captured_output_is_filtered_as_by_sacred(text: str) -> None:
    assert last_states(text) == apply_backspaces_and_linefeeds(text)


def test_filtering_a_long_log_costs_little() -> None:
    log = "step 100: mlm/train/loss 1.234\n" * 50_000 + "\r 0%\r 50%" * 100
    started = time.process_time()
    filtered = last_states(log)
    assert time.process_time() - started < 0.2
    assert filtered.endswith("\n 50%")
