"""How loaders end: their processes with them, whatever stopped them, and never by somebody else's signal."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import Tensor

from renaissance.data.batches.batch import Batch
from renaissance.data.batches.collate import BatchMaker
from renaissance.data.batches.fetch import Fetch
from renaissance.data.batches.loader import BatchLoader, make_eval_loader
from renaissance.data.examples.schema import CAPTIONS, DataNeeds
from renaissance.data.examples.tables import TableExamples
from renaissance.data.text.processor import TextProcessor
from renaissance.data.text.vocabulary_building import build_vocabulary
from renaissance.errors import UserError

from .conftest import WriteTable


class Slow:
    """Tells the process that collates, and how it takes signals; for examples from `first` on after a while."""

    def __init__(self, seconds: float, first: int) -> None:
        self.seconds = seconds
        self.first = first

    def __call__(self, batch: Batch, fetch: Fetch, streams: Sequence[np.random.Generator]) -> dict[str, Tensor]:
        if int(batch.index[0]) >= self.first:
            time.sleep(self.seconds)
        blocked = signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, [])
        left = blocked and signal.getsignal(signal.SIGINT) == signal.SIG_IGN
        return {"process": torch.tensor([os.getpid(), left, torch.get_num_threads()])}


@pytest.fixture
def table(tmp_path: Path, write_table: WriteTable) -> Path:
    texts = [[f"a caption of number {number}" + " word" * 2000] for number in range(64)]
    return write_table(
        tmp_path / "t.arrow",
        {"image": [b""] * 64, "caption": pa.array(texts, pa.list_(pa.string()))},
        rows_a_batch=8,
    )


def loader(table: Path, workers: int, seconds: float = 0.0, first: int = 0) -> BatchLoader:
    source = TableExamples([table], DataNeeds(CAPTIONS, image=False, text=True))
    text, collates = (
        TextProcessor(build_vocabulary(source.texts, None), max_text_len=6),
        {"slow": Slow(seconds, first)},
    )
    maker = BatchMaker(source, None, text, collates, seed=0, training=False)
    return make_eval_loader(maker, batch_size=1, num_workers=workers)


def test_workers_leave_signals_to_the_main_process(table: Path) -> None:
    """A scheduler and the terminal send theirs to all processes; only the main one saves and ends the others."""
    told = []
    for number, batch in enumerate(loader(table, workers=2, seconds=0.01)):
        told.append(batch.collated["slow"]["process"].tolist())
        if number == 2:
            for worker in multiprocessing.active_children():
                subprocess.run(["kill", "-TERM", str(worker.pid)], check=True)
                subprocess.run(["kill", "-INT", str(worker.pid)], check=True)
    assert len(told) == 64
    assert len({process for process, _, _ in told} | {os.getpid()}) == 3
    assert all(left and threads == 1 for _, left, threads in told)


@pytest.mark.skipif(not hasattr(signal, "sigwaitinfo"), reason="this system does not tell who sent a signal")
def test_a_worker_ends_when_its_parent_says_so(table: Path) -> None:
    """Python does at its end, and waits: a worker that ignored it was waited for for ever."""
    batches = iter(loader(table, workers=1, seconds=0.2))
    next(batches)
    (worker,) = multiprocessing.active_children()
    worker.terminate()
    worker.join(5)
    assert worker.exitcode == 0


@pytest.mark.parametrize("workers", [0, 2])
def test_closing_ends_workers_in_the_middle_of_a_batch(table: Path, workers: int) -> None:
    slow = loader(table, workers=workers, seconds=60, first=1)
    batches = iter(slow)
    next(batches)
    started = time.monotonic()
    slow.close()
    assert time.monotonic() - started < 4.5
    assert multiprocessing.active_children() == []
    assert list(batches) == []


@pytest.mark.parametrize("workers", [0, 2])
def test_a_table_that_is_cut_off_under_a_run_is_named(table: Path, workers: int) -> None:
    size, batches = table.stat().st_size, iter(loader(table, workers=workers, seconds=0.05))
    next(batches)
    os.truncate(table, 4096)
    with pytest.raises(UserError, match=rf"t\.arrow was cut off.*{size:,} bytes, now 4,096"):
        list(batches)
    assert multiprocessing.active_children() == []


def test_a_table_that_grew_or_was_replaced_is_read_on(table: Path, tmp_path: Path) -> None:
    """What is mapped stays what it is under another file of that name."""
    batches = iter(loader(table, workers=0))
    next(batches)
    (tmp_path / "new").write_bytes(b"short")
    os.replace(tmp_path / "new", table)
    assert len(list(batches)) == 63
