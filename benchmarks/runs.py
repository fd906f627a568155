"""How long `python run.py runs` takes over many runs: the whole command, from the shell's call to its last line.

    python -m benchmarks.runs [--runs 1000] [--times 9]

In: nothing; folders of runs are written as runs leave them, every tenth one crashed, each with metrics of 100
validations. Out: median and middle half of the command's wall time, and of `print_config`, which starts in the same way
and lists nothing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.timing import machine, summarise
from renaissance.settings.defaults import default_settings
from renaissance.tasks.registry import task_names

ROOT = Path(__file__).resolve().parents[1]
VALIDATIONS = 100


def main() -> None:
    """Write the runs, list them again and again, and print how long that took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000, help="folders of runs")
    parser.add_argument("--times", type=int, default=9, help="how often each command is run")
    arguments = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        write_runs(Path(folder), arguments.runs)
        for words in (["print_config"], ["runs", "with", f"log_dir={folder}"]):
            seconds = [wall_seconds(words) for _ in range(arguments.times)]
            print(f"python run.py {words[0]}: {summarise(seconds)} s", flush=True)
    print(f"(medians of {arguments.times}, with their middle half; {arguments.runs:,} runs)")


def write_runs(parent: Path, count: int) -> None:
    """Write folders of runs in ten experiments, five seeds to a learning rate.

    Args:
        parent: where.
        count: how many.
    """
    settings = {**default_settings(), "loss_names": {**dict.fromkeys(task_names(), 0), "mlm": 1}}
    metrics, final = _metrics()
    start = {"command": ["run.py"], "started": "2026-11-26T10:00:00+0000", "total_steps": 1000, "resumes": []}
    summary = {"status": "finished", "final": final, "steps": 1000, "resumes": 0, "wall_seconds": 600.0}
    for number in range(count):
        folder = parent / f"experiment_{number % 10}" / str(number // 10 + 1)
        folder.mkdir(parents=True)
        own = {
            "seed": number // 10 % 5,
            "learning_rate": 1e-5 * (1 + number // 50),
            "batch_size": 32 * (1 + number % 2),
        }
        (folder / "config.json").write_text(json.dumps({**settings, **own}, indent=2))
        (folder / "command.json").write_text(json.dumps(start, indent=2))
        (folder / "metrics.csv").write_text(metrics)
        if number % 10 == 9:
            (folder / ".alive").touch()
        else:
            (folder / "summary.json").write_text(json.dumps(summary, indent=2))


def wall_seconds(words: list[str]) -> float:
    """How long a command takes from its call to its end.

    Args:
        words: of the command line, behind `run.py`.
    """
    started = time.perf_counter()
    subprocess.run([sys.executable, "run.py", *words], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def _metrics() -> tuple[str, dict[str, float]]:
    """The text of a `metrics.csv`, and its last values by name."""
    lines, final = ["step,epoch,name,value"], {}
    for step in range(10, 10 * VALIDATIONS + 1, 10):
        splits = ("train", "val", "test") if step == 10 * VALIDATIONS else ("train", "val")
        for name in (f"mlm/{split}/{metric}" for split in splits for metric in ("loss", "accuracy")):
            final[name] = 2.0 + 1.0 / step
            lines.append(f"{step},{step / 1000:.6g},{name},{final[name]!r}")
    return "\n".join([*lines, ""]), final


if __name__ == "__main__":
    main()
