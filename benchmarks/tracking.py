"""What recording in MongoDB costs a training step: with it and without, in turns.

    python -m benchmarks.tracking --mongo mongodb://127.0.0.1:27017/benchmark [--turns 20] [--steps 40]

A step is forward, backward and AdamW of a transformer layer, about 20 ms on one thread; every step is logged, which is
ten times as often as `log_interval` asks for, with four metrics; what was printed and `info` are handed on every two
seconds, five times as often as Sacred does. Counted are the processor's seconds of this process with the thread that
sends, so what else the machine does burdens neither. Turns with and without recording follow one another; printed are
medians of a step with the range of the middle half, the ratio of each pair of turns, and what telling one step takes by
itself. The aim is 1 % at most. Without --mongo the address is one where no server is.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import torch
from torch import nn

from benchmarks.timing import machine, measured_device, summarise
from config import ex
from renaissance.settings import check_settings
from renaissance.tracking.mongo.address import Address
from renaissance.tracking.mongo.recorder import MongoObserver
from renaissance.tracking.run_folder import RunFolder
from renaissance.tracking.trackers.interface import RunStart, Tracker

NOWHERE = "mongodb://127.0.0.1:1/benchmark"
BEAT_SECONDS = 2.0
METRICS = ("itm/train/loss", "itm/train/accuracy", "mlm/train/loss", "mlm/train/accuracy")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mongo", default=NOWHERE)
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--steps", type=int, default=40)
    arguments = parser.parse_args()
    print(machine())
    step = _training_step()
    with tempfile.TemporaryDirectory() as folder:
        observer, tracker = _recorded(Path(folder), arguments.mongo)
        for _ in range(arguments.steps):
            step()
        without, recorded, number = [], [], 0
        for _ in range(arguments.turns):
            without.append(_timed(step, arguments.steps))
            ended = threading.Event()
            beating = threading.Thread(target=_beat, args=(observer, ended), daemon=True)
            beating.start()

            def logged() -> None:
                nonlocal number
                step()
                number += 1
                tracker.log(number, 0.1, dict.fromkeys(METRICS, 0.5))

            recorded.append(_timed(logged, arguments.steps))
            ended.set()
            beating.join()
        telling = [_timed(lambda: tracker.log(number, 0.1, dict.fromkeys(METRICS, 0.5)), 100) for _ in range(50)]
        observer.completed_event(datetime.now(UTC), None)
        observer.join()
    print(f"a step without: {summarise([1000 * one for one in without])} ms")
    print(f"a step with:    {summarise([1000 * one for one in recorded])} ms")
    print(f"ratio of pairs: {summarise([one / other for one, other in zip(recorded, without, strict=True)])}")
    share = statistics.median(telling) / statistics.median(without)
    print(f"telling a step: {summarise([1e6 * one for one in telling])} µs, {100 * share:.2f} % of a step")


def _timed(work: Callable[[], object], times: int) -> float:
    """Processor seconds of this process, its threads included, that each of several calls took."""
    started = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - started) / times


def _training_step() -> Callable[[], None]:
    device = measured_device()
    model = nn.TransformerEncoderLayer(256, 4, 1024, batch_first=True).to(device)
    optimizer = torch.optim.AdamW(model.parameters())
    inputs = torch.randn(16, 16, 256, device=device)  # (B, L, D)

    def step() -> None:
        model(inputs).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        if device.type == "cuda":
            torch.cuda.synchronize()

    return step


def _recorded(folder: Path, url: str) -> tuple[MongoObserver, Tracker]:
    """A run in a folder that has begun to be recorded."""
    observer = MongoObserver(Address.of_url(url), 20, False)
    experiment = {"name": "benchmark", "base_dir": ".", "sources": [], "dependencies": [], "repositories": []}
    observer.started_event(experiment, "main", {}, datetime.now(UTC), {}, {}, None)
    tracker = observer.tracker()
    tracker.start(RunStart(check_settings(ex.configurations[0]()), RunFolder(folder)))
    return observer, tracker


def _beat(observer: MongoObserver, ended: threading.Event) -> None:
    """Tell the observer what was printed, as Sacred's own thread does."""
    while not ended.wait(BEAT_SECONDS):
        observer.heartbeat_event({}, "step 10  itm loss 0.5\n" * 10_000, datetime.now(UTC), None)


if __name__ == "__main__":
    main()
