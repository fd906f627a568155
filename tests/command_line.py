"""`run.py` in a process of its own, as a user starts it."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def execute(*words: str, program: Path = ROOT / "run.py", timeout: float = 300) -> str:
    """Run a program with a command line of run.py's; gives what it printed. It has to end well.

    Args:
        words: the command line behind the program.
        program: run.py, or what stands for it.
        timeout: seconds.
    """
    done = subprocess.run(
        [sys.executable, str(program), *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def final_metrics(output: str) -> dict[str, float]:
    """The final metrics of a run, from what it printed."""
    folder = next(line for line in output.splitlines() if line.startswith("run: ")).removeprefix("run: ")
    final: dict[str, float] = json.loads((ROOT / folder / "summary.json").read_text())["final"]
    return final


def documented_commands(page: Path) -> list[str]:
    """The commands in the bash blocks of a page, a line each."""
    blocks = re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


def run_documented(command: str, tmp: Path) -> str:
    """Run a documented command on this Python, with data and results under `tmp`; gives its output."""
    words = shlex.split(command)
    assert words[:2] == ["python", "run.py"]
    own = [f"data_root={tmp}/arrow", f"log_dir={tmp}/result"]
    if not {"print_named_configs", "help"} & set(words):  # these take no settings
        words += own if "with" in words else ["with", *own]
    return execute(*words[2:])
