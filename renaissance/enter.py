"""Becomes a run, or a process of one: `python enter.py <number of the parent process> <signal> <command line>`.

Whoever started it may be killed without a chance to stop it. The system then sends the signal (on Linux): SIGTERM to a
run, which saves its state and ends. SIGUSR2 is what SLURM and submitit announce a time limit with; it is answered by
the process around the run, and would end a run that knew nothing of it.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>


def signal_at_parents_end(signum: int) -> None:
    """Have the system send this process a signal when its parent ends; 0 for none. Only Linux can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signum)


def main() -> None:
    """Prepare this process, and replace it by the command line."""
    parent, signum, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    signal_at_parents_end(signum)
    if sys.platform == "linux" and os.getppid() != parent:  # it ended before this was asked for
        sys.exit(128 + signum)
    if hasattr(signal, "SIGUSR2"):
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
