"""`run.py` in a process of its own, as a user starts it.

The process is forked from one that has imported what run.py imports (`tests/warm.py`): everything is as with
`python run.py` but the seconds of its start. `python=True` starts Python itself.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def execute(*words: str, program: Path = ROOT / "run.py", timeout: float = 300) -> str:
    """Run a program with a command line of run.py's; gives what it printed. It has to end well.

    Args:
        words: the command line behind the program.
        program: run.py, or what stands for it.
        timeout: seconds.
    """
    done = run_py(*words, program=program, timeout=timeout)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def run_py(
    *words: str,
    program: Path | str = "run.py",
    environment: Mapping[str, str] | None = None,
    timeout: float = 300,
    python: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run `python run.py <words>` in the repository's folder, however it ends.

    Args:
        words: the command line behind the program.
        program: run.py, or what stands for it.
        environment: variables beside this process's.
        timeout: seconds.
        python: start Python anew, rather than fork from the warm process.

    Raises:
        subprocess.TimeoutExpired: it took longer, and was killed.
    """
    argv = [sys.executable, str(program), *words]
    variables = {**os.environ, **(environment or {})}
    if python:
        return subprocess.run(
            argv, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=timeout, check=False
        )
    request = {"program": str(program), "words": words, "folder": str(ROOT), "environment": variables}
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors, _connected() as connection:
        socket.send_fds(connection, [json.dumps(request).encode() + b"\n"], [output.fileno(), errors.fileno()])
        with connection.makefile() as answers:
            pid = int(answers.readline())
            if not select.select([connection], [], [], timeout)[0]:
                os.kill(pid, signal.SIGKILL)
                answers.readline()  # it is gone
                raise subprocess.TimeoutExpired(argv, timeout)
            status = int(answers.readline())
        said = []
        for stream in (output, errors):
            stream.seek(0)
            said.append(stream.read())
    return subprocess.CompletedProcess(argv, status, *said)


def _connected() -> socket.socket:
    """A connection to the warm process of this one, which waits until that has started."""
    place, started = _warm(os.getpid())
    while started.poll() is None:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(place))
        except OSError:
            connection.close()
            time.sleep(0.1)
        else:
            return connection
    raise RuntimeError(f"tests/warm.py has ended with {started.returncode}")


@cache
def _warm(owner: int) -> tuple[Path, subprocess.Popen[bytes]]:
    """Where the warm process that `owner` starts listens; it ends with its owner."""
    folder = Path(tempfile.mkdtemp(prefix="warm"))
    place = folder / "socket"
    started = subprocess.Popen([sys.executable, str(ROOT / "tests" / "warm.py"), str(place)], cwd=ROOT)

    def end() -> None:
        if os.getpid() == owner:
            started.kill()
            started.wait()
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    return place, started


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
