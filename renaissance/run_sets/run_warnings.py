"""What the runs of a set have warned of, for who reads the set's output and not theirs.

Comes in: the file of what a run printed. Goes out: its warnings since it was last started, each once.
"""

from __future__ import annotations

from pathlib import Path

STARTED = "$ python "  # what each start of a run begins with in its output
WARNING, GOES_ON = "warning:", "  "
MOST_WARNINGS = 20


def warnings_in(output: Path) -> list[str]:
    """The lines that begin with `warning:`, each with the indented lines that follow it, such as a command to give.

    Args:
        output: may be missing, which has none.
    """
    found: list[str] = []
    goes_on = False
    try:
        with output.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith(STARTED):
                    found.clear()
                if line.startswith(WARNING):
                    goes_on = line.rstrip() not in found and len(found) < MOST_WARNINGS
                    if goes_on:
                        found.append(line.rstrip())
                elif goes_on and line.startswith(GOES_ON):
                    found.append(line.strip())
                else:
                    goes_on = False
    except OSError:
        return []
    return found
