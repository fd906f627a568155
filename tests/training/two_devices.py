"""Runs the command line on two CPU processes, as it runs on two GPUs: a program that test_devices.py starts."""

from __future__ import annotations

import sys
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from renaissance.training.devices import Devices
from run import run_command_line

if __name__ == "__main__":
    with mock.patch("renaissance.training.run.resolve_devices", return_value=Devices("cpu", 2, 1)):
        sys.exit(run_command_line(sys.argv))
