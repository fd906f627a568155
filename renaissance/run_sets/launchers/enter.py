"""Becomes a run: `python enter.py <number of the parent process> <command line>`. A program, not imported by ours.

Whoever started the run may be killed without a chance to stop it. The system then sends SIGTERM (on Linux), so the run
saves its state and ends. SIGUSR2 is what SLURM and submitit announce a time limit with; it is answered by the process
around the run, and would end a run that knew nothing of it.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>


def main() -> None:
    """Prepare this process, and replace it by the command line."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it ended before this was asked for
            sys.exit(128 + signal.SIGTERM)
    if hasattr(signal, "SIGUSR2"):
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
