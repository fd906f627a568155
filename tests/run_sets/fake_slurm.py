"""Stands for SLURM on one machine: `install` puts sbatch, srun, scontrol, sacct and scancel into a folder for PATH.

A job is a bash script. Its step gets SIGUSR2, in every process of it, FAKE_SLURM_SIGNAL seconds after the runs have
begun, and is killed after FAKE_SLURM_LIMIT, as SLURM does by `--signal` and `--time`. `scontrol requeue` has it begin
again.
"""

import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

HERE = Path(os.environ.get("FAKE_SLURM", "."))
COMMANDS = ("sbatch", "srun", "scontrol", "sacct", "scancel")


def install(folder: Path) -> None:
    """Write the commands into a folder."""
    for name in COMMANDS:
        path = folder / name
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{Path(__file__).resolve()}" {name} "$@"\n')
        path.chmod(0o755)


def sbatch(script: str) -> None:
    number = str(len(list(HERE.glob("*.job"))) + 100)
    (HERE / f"{number}.job").write_text(Path(script).read_text())
    state(number, "PENDING")
    quiet = subprocess.DEVNULL
    command = [sys.executable, "-S", __file__, "work", number]
    subprocess.Popen(command, start_new_session=True, stdin=quiet, stdout=quiet, stderr=quiet)
    print(f"Submitted batch job {number}")


def work(number: str) -> None:
    """Run a job until it ends without having been queued again."""
    while True:
        (HERE / f"{number}.requeue").unlink(missing_ok=True)
        state(number, "RUNNING")
        own = {"SLURM_JOB_ID": number, "SLURM_PROCID": "0", "SLURM_NTASKS": "1", "SLURM_JOB_NUM_NODES": "1"}
        job = subprocess.Popen(["bash", str(HERE / f"{number}.job")], env={**os.environ, **own})
        began, steps, at_work_since, signalled = time.monotonic(), steps_taken(), None, False
        while job.poll() is None:
            now = time.monotonic()
            if at_work_since is None and steps_taken() > steps + 1:
                at_work_since = now
            if at_work_since and not signalled and now - at_work_since > float(os.environ["FAKE_SLURM_SIGNAL"]):
                step(number, signal.SIGUSR2)
                signalled = True
            if now - began > float(os.environ["FAKE_SLURM_LIMIT"]):
                step(number, signal.SIGKILL)
            time.sleep(0.02)
        if not (HERE / f"{number}.requeue").exists():
            state(number, "COMPLETED" if job.returncode == 0 else "FAILED")
            return


def steps_taken() -> int:
    """Of all runs together: a limit that came while a job still imports would be none of a real one's."""
    log = Path(os.environ["FAKE_LOG"])
    return len(log.read_text().splitlines()) if log.is_file() else 0


def step(number: str, sent: int) -> None:
    """Signal every process of a job's step."""
    try:
        os.killpg(int((HERE / f"{number}.step").read_text()), sent)
    except (FileNotFoundError, ProcessLookupError):
        return


def srun(*words: str) -> None:
    """Start the command behind the options, its output where they say."""
    options = dict(pairwise(words))
    number = os.environ["SLURM_JOB_ID"]
    paths = [options[name].replace("%j", number).replace("%t", "0") for name in ("--output", "--error")]
    with open(paths[0], "ab") as output, open(paths[1], "ab") as error:
        command = words[words.index("--error") + 2 :]
        process = subprocess.Popen(command, stdout=output, stderr=error, start_new_session=True)
        (HERE / f"{number}.step").write_text(str(process.pid))
        sys.exit(abs(process.wait()))


def scontrol(what: str, number: str) -> None:
    assert what == "requeue"
    (HERE / f"{number}.requeue").write_text("")


def sacct(*words: str) -> None:
    print("JobID|State|NodeList")
    for path in HERE.glob("*.state"):
        print(f"{path.stem}|{path.read_text()}|here")


def scancel(number: str, *words: str) -> None:
    step(number, signal.SIGTERM)


def state(number: str, name: str) -> None:
    (HERE / f"{number}.state").write_text(name)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
