"""Stands for `run.py` as a run of a set: a training of a few milliseconds a step, whose state a resume has to take up.

    python fake_run.py with task_itm seed=1 learning_rate=0.001 resume_from=auto

What it is to do is in the environment: FAKE_PAUSE, seconds a step; FAKE_FAIL, a word of the command line that makes it
fail; FAKE_STATUS, how it exits then; FAKE_NAN, a word that makes its validations no number; FAKE_WARNING, what it
prints twice. Every step is a line of the file FAKE_LOG, with the process's number.
"""

from __future__ import annotations

import ast
import fcntl
import json
import math
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

STEPS, VALIDATE_EVERY = 6, 2
LAST, METRICS = "checkpoints/last.ckpt", "metrics.csv"
STOPPED: list[int] = []


def main() -> None:
    words = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word and not word.startswith("-"))
    folder = Path(os.environ["RENAISSANCE_GIVEN_FOLDER"])
    signal.signal(signal.SIGTERM, lambda number, frame: STOPPED.append(number))
    signal.signal(signal.SIGINT, lambda number, frame: STOPPED.append(number))
    if os.environ.get("FAKE_FAIL") in sys.argv:
        print("this run was told to fail", file=sys.stderr)
        sys.exit(int(os.environ.get("FAKE_STATUS", "1")))
    for _ in range(2):
        print(os.environ.get("FAKE_WARNING", ""))
    folder.mkdir(exist_ok=True)
    with (folder / ".alive").open("a") as mark:  # as `run_folder.at_work_in` does, without its imports
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another process is training this run", file=sys.stderr)
            sys.exit(2)
        train(folder, words)
        (folder / ".alive").unlink()


def train(folder: Path, words: dict[str, str]) -> None:
    """Take the steps that are left, and stop for a signal between two of them."""
    state: dict[str, Any] = {"step": 0, "value": int(words.get("seed", "0")) + 1}
    if words.get("resume_from") == "auto" and (folder / LAST).is_file():
        state = json.loads((folder / LAST).read_text())
    kept = [line for line in rows(folder) if int(line.split(",")[0]) <= state["step"]]
    (folder / METRICS).write_text("\n".join(["step,epoch,name,value", *kept]) + "\n")
    (folder / "config.json").write_text(json.dumps({"words": words}))
    while state["step"] < STEPS:
        if STOPPED:
            save(folder, state)
            print("state saved")
            sys.exit(128 + STOPPED[0])
        time.sleep(float(os.environ.get("FAKE_PAUSE", "0")))
        state = {"step": state["step"] + 1, "value": state["value"] * 31 % 997}
        if state["step"] % VALIDATE_EVERY == 0:
            with (folder / METRICS).open("a") as file:
                file.write(f"{state['step']},0.1,itm/val/accuracy,{accuracy(state, words)!r}\n")
            save(folder, state)
        with open(os.environ["FAKE_LOG"], "a") as log:
            log.write(f"{time.time()} {os.getpid()} {folder.name} {state['step']}\n")
    with (folder / METRICS).open("a") as file:
        file.write(f"{STEPS},0.1,itm/test/accuracy,{accuracy(state, words)!r}\n")
    draft = folder / "draft"
    draft.write_text(json.dumps({"status": "finished"}))
    draft.replace(folder / "summary.json")


def accuracy(state: dict[str, Any], words: dict[str, str]) -> float:
    """Best at a learning rate of 0.001, with a little of the state in it."""
    if os.environ.get("FAKE_NAN") in sys.argv:
        return math.nan
    rate = float(ast.literal_eval(words.get("learning_rate", "0.001")))
    return round(0.9 - 0.2 * abs(math.log10(rate) + 3) + state["step"] / 100 + state["value"] / 1e6, 9)


def rows(folder: Path) -> list[str]:
    return (folder / METRICS).read_text().splitlines()[1:] if (folder / METRICS).is_file() else []


def save(folder: Path, state: dict[str, Any]) -> None:
    (folder / LAST).parent.mkdir(exist_ok=True)
    draft = (folder / LAST).with_suffix(".draft")
    draft.write_text(json.dumps(state))
    draft.replace(folder / LAST)


if __name__ == "__main__":
    main()
