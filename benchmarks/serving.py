"""How quick `serve` is: p50, p99 and throughput at 1, 8 and 64 clients, and what a forward pass takes alone.

    python -m benchmarks.serving [--checkpoint result/imdb/1/checkpoints/best.ckpt] [--seconds 5]

Without a checkpoint the built-in transformer is taken (width 64, 2 layers, 64 tokens) with a few steps of training. The
server is a process of its own, as a user starts it; the clients are together another one, each with one connection, and
ask again as soon as they are answered. A request is one example of 80 words. The forward pass is measured in this
process, on a batch of one that is tokenized already, and `Model.predict` beside it. The aim on 2 cores: one request in
at most 3 ms more than the forward pass, and 400 requests a second at 64 clients with a p99 under 300 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import renaissance
from benchmarks.timing import machine, summarise
from renaissance.inference.asked import asked_of
from renaissance.inference.model import Model
from renaissance.inference.predictor import named_in_examples

ROOT = Path(__file__).resolve().parents[1]
TEXT = " ".join(["a red circle above a blue square and a green triangle"] * 8)
TRAINING = "max_text_len=64 max_steps=3 warmup_steps=0 num_workers=0 num_gpus=0 num_scenes=60"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint")
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = arguments.checkpoint or trained(Path(folder))
        model = renaissance.load(checkpoint)
        task = next(iter(model.tasks))
        print(f"forward pass alone: {summarise(forward_pass(model, task))} ms")
        print(f"Model.predict of one example: {summarise(timed(lambda: model.predict([{'text': TEXT}], task)))} ms")
        serve_and_ask(checkpoint, arguments.seconds)


def trained(folder: Path, width: int = 64, heads: int = 4, layers: int = 2) -> str:
    """A checkpoint of the built-in transformer, of a size."""
    shape = f"text_encoder_hidden_size={width} text_encoder_num_heads={heads} text_encoder_num_layers={layers}"
    places = f"data_root={folder}/arrow log_dir={folder}/result"
    words = f"with task_finetune_imdb scenes text_encoder=transformer {shape} {TRAINING} {places}".split()
    subprocess.run([sys.executable, "run.py", *words], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return str(next(folder.glob("result/*/1/checkpoints/best.ckpt")))


def timed(function: Callable[[], Any], times: int = 300) -> list[float]:
    """Milliseconds of calls."""
    for _ in range(20):
        function()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        function()
        taken.append(1000 * (time.perf_counter() - start))
    return taken


def forward_pass(model: Model, task: str) -> list[float]:
    """Milliseconds of the encoder and the head on a batch that is there already."""
    (asked,) = asked_of(model, model.chosen(task))
    batch = asked.batches(model).make([{"text": TEXT}], named_in_examples)

    @torch.inference_mode()
    def forward() -> None:
        model.tasks[task].answers(model.step(batch))

    return timed(forward)


def serve_and_ask(checkpoint: str, seconds: float) -> None:
    """Start a server, ask it, and stop it."""
    command = [sys.executable, "run.py", "serve", "with", f"load_path={checkpoint}", "port=0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            found = re.search(r":(\d+)/", server.stdout.readline())
            assert found is not None
            port = int(found[1])
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                pool.apply(ask, (port, 1, 1.0))  # warm
                print(f"memory of the idle server: {resident(server.pid) / 1e6:.0f} MB")
                for clients in (1, 8, 64):
                    print(f"{clients:3d} clients: {pool.apply(ask, (port, clients, seconds))}")
        finally:
            server.send_signal(signal.SIGTERM)


def resident(process: int) -> int:
    """Bytes of memory that a process holds."""
    pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def ask(port: int, clients: int, seconds: float) -> str:
    """What clients see, in words; in a process of its own."""
    started = time.perf_counter()
    taken = asyncio.run(_clients(port, clients, seconds))
    passed = time.perf_counter() - started
    cuts = statistics.quantiles(taken, n=100)
    return f"p50 {cuts[49]:.2f} ms, p99 {cuts[98]:.2f} ms, {len(taken) / passed:.0f} requests/s"


async def _clients(port: int, clients: int, seconds: float) -> list[float]:
    end = time.perf_counter() + seconds
    found = await asyncio.gather(*(_client(port, end) for _ in range(clients)))
    return [value for values in found for value in values]


async def _client(port: int, end: float) -> list[float]:
    """Milliseconds of requests over one connection, one after the other; each has to be answered well."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps([{"text": TEXT}]).encode()
    head = f"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    request = head.encode() + b"\r\n\r\n" + body
    taken = []
    while time.perf_counter() < end:
        start = time.perf_counter()
        writer.write(request)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), answer
        size = re.search(rb"content-length: (\d+)", answer, re.IGNORECASE)
        assert size is not None
        await reader.readexactly(int(size[1]))
        taken.append(1000 * (time.perf_counter() - start))
    writer.close()
    return taken


if __name__ == "__main__":
    main()
