"""A command forked from the warm process is what `python run.py` is: its words, its status, its surroundings."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.command_line import run_py

TOLD = """
import os, signal, sys
print(__name__, os.getcwd(), sys.argv[1:], os.environ.get("OF_TEST"), sys.orig_argv[1:])
print("an error", file=sys.stderr)
{end}
"""


@pytest.mark.parametrize(
    ("end", "status"), [("sys.exit(3)", 3), ("signal.raise_signal(signal.SIGKILL)", -9), ("1 / 0", 1), ("", 0)]
)
def test_it_is_told_and_ends_as_python_is(tmp_path: Path, end: str, status: int) -> None:
    program = tmp_path / "program.py"
    program.write_text(TOLD.format(end=f"sys.stdout.flush(); {end}" if end else ""))
    forked, python = (
        run_py("with", "a word", program=program, environment={"OF_TEST": "x"}, python=python)
        for python in (False, True)
    )
    assert (forked.returncode, forked.stdout) == (python.returncode, python.stdout)
    assert forked.returncode == status
    assert forked.stderr.splitlines()[0] == "an error"
    assert forked.stderr.splitlines()[-1] == python.stderr.splitlines()[-1]


def test_one_command_leaves_nothing_to_the_next() -> None:
    mistaken = run_py("with", "quickstrt")
    assert (mistaken.returncode, mistaken.stdout) == (2, "")
    assert mistaken.stderr == run_py("with", "quickstrt", python=True).stderr
    assert run_py("print_config", "with", "seed=7").stdout == run_py("print_config", "with", "seed=7").stdout


def test_a_command_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)")
    with pytest.raises(subprocess.TimeoutExpired):
        run_py(program=program, timeout=2)
    assert not Path("/proc", (tmp_path / "pid").read_text()).exists()
    assert run_py("with", "quickstrt").returncode == 2, "the warm process has not ended with it"
