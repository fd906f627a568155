"""Stands for `run.py` as a run of a set: a training of a few milliseconds a step, whose state a resume has to take up.

    python fake_run.py with task_itm seed=1 learning_rate=0.001 resume_from=auto

What it is to do is in the environment: FAKE_PAUSE, seconds a step; FAKE_FAIL, a word of the command line that makes it
fail; FAKE_STATUS, how it exits then. Every step is a line of the file FAKE_LOG, with the process's number.
"""

from __future__ import annotations

import ast
import json
import math
import os
import signal
import sys
import time
from typing import Any

from renaissance.errors import UserError
from renaissance.tracking.run_folder import RunFolder, at_work_in, given_folder

STEPS, VALIDATE_EVERY = 6, 2
STOPPED: list[int] = []


def main() -> None:
    words = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word and not word.startswith("-"))
    folder = given_folder()
    assert folder is not None
    signal.signal(signal.SIGTERM, lambda number, frame: STOPPED.append(number))
    signal.signal(signal.SIGINT, lambda number, frame: STOPPED.append(number))
    if os.environ.get("FAKE_FAIL") in sys.argv:
        print("this run was told to fail", file=sys.stderr)
        sys.exit(int(os.environ.get("FAKE_STATUS", "1")))
    folder.path.mkdir(exist_ok=True)
    try:
        with at_work_in(folder):
            train(folder, words)
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


def train(folder: RunFolder, words: dict[str, str]) -> None:
    """Take the steps that are left, and stop for a signal between two of them."""
    state: dict[str, Any] = {"step": 0, "value": int(words.get("seed", "0")) + 1}
    if words.get("resume_from") == "auto" and folder.last_checkpoint.is_file():
        state = json.loads(folder.last_checkpoint.read_text())
    kept = [line for line in rows(folder) if int(line.split(",")[0]) <= state["step"]]
    folder.metrics.write_text("\n".join(["step,epoch,name,value", *kept]) + "\n")
    folder.config.write_text(json.dumps({"words": words}))
    while state["step"] < STEPS:
        if STOPPED:
            save(folder, state)
            print("state saved")
            sys.exit(128 + STOPPED[0])
        time.sleep(float(os.environ.get("FAKE_PAUSE", "0")))
        state = {"step": state["step"] + 1, "value": state["value"] * 31 % 997}
        if state["step"] % VALIDATE_EVERY == 0:
            with folder.metrics.open("a") as file:
                file.write(f"{state['step']},0.1,itm/val/accuracy,{accuracy(state, words)!r}\n")
            save(folder, state)
        with open(os.environ["FAKE_LOG"], "a") as log:
            log.write(f"{time.time()} {os.getpid()} {folder.path.name} {state['step']}\n")
    with folder.metrics.open("a") as file:
        file.write(f"{STEPS},0.1,itm/test/accuracy,{accuracy(state, words)!r}\n")
    draft = folder.path / "draft"
    draft.write_text(json.dumps({"status": "finished"}))
    draft.replace(folder.summary)


def accuracy(state: dict[str, Any], words: dict[str, str]) -> float:
    """Best at a learning rate of 0.001, with a little of the state in it."""
    rate = float(ast.literal_eval(words.get("learning_rate", "0.001")))
    return round(0.9 - 0.2 * abs(math.log10(rate) + 3) + state["step"] / 100 + state["value"] / 1e6, 9)


def rows(folder: RunFolder) -> list[str]:
    return folder.metrics.read_text().splitlines()[1:] if folder.metrics.is_file() else []


def save(folder: RunFolder, state: dict[str, Any]) -> None:
    folder.last_checkpoint.parent.mkdir(exist_ok=True)
    draft = folder.last_checkpoint.with_suffix(".draft")
    draft.write_text(json.dumps(state))
    draft.replace(folder.last_checkpoint)


if __name__ == "__main__":
    main()
