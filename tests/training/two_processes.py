"""Trains one run after the other as one of two processes on the CPU: a program that test_many_devices.py starts.

Importing takes longer than such a run, so two processes serve all of them.

    python two_processes.py <runs.json> <rank>
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from renaissance.training.devices import take_place
from tests.training.conftest import Runner


def main(plan: Path, rank: str) -> None:
    """Do every run of the plan; the one that fails says why, and the next one begins."""
    given = json.loads(plan.read_text())
    runner = Runner(Path(given["data_root"]), Path(given["log_dir"]))
    for run, port in zip(given["runs"], given["ports"], strict=True):
        os.environ.update(LOCAL_RANK=rank, MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
        try:
            runner(*run["named"], **run["settings"], devices=2)
        except Exception:
            print(f"{run['settings']['exp_name']}:", file=sys.stderr)
            traceback.print_exc()
            if torch.distributed.is_initialized():
                torch.distributed.destroy_process_group()
        take_place(None)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
