"""What observers get of the output."""

from __future__ import annotations

import time

import pytest
from sacred.utils import apply_backspaces_and_linefeeds

from renaissance.tracking.mongo.address import Address
from renaissance.tracking.observers import _address_of_flag as address_of_flag
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


@pytest.mark.parametrize(
    ("flag", "address"),
    [
        ("runs", Address("mongodb://localhost:27017", "runs")),
        ("db.lan:1234", Address("mongodb://db.lan:1234", "sacred")),
        ("db.lan:1234:vision", Address("mongodb://db.lan:1234", "vision")),
        ("db.lan:1234:vision.trials:7!5", Address("mongodb://db.lan:1234", "vision", "trials", 7)),
    ],
)
def test_sacreds_flag_names_a_mongodb(flag: str, address: Address) -> None:
    assert address_of_flag(flag) == address


def test_an_address_without_a_database_names_sacreds() -> None:
    assert Address.of_url("mongodb://a:1,b:2/?tls=true") == Address("mongodb://a:1,b:2/?tls=true", "sacred")
    assert Address.of_url("mongodb+srv://cluster.net/vision?x=/y").server == "cluster.net/vision"
