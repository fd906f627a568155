"""The queue is bounded, forgets who has gone, starves nobody, and refuses alone what is at fault."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from renaissance.serving.batching import Batcher
from renaissance.serving.errors import Refusal
from renaissance.serving.limits import Limits
from renaissance.serving.queue import Job, Kind


def test_a_full_queue_refuses_and_who_has_gone_is_taken_out():
    begun, go_on, computed = threading.Event(), threading.Event(), []

    def work(examples):
        begun.set()
        go_on.wait(10)
        computed.extend(example["text"] for example in examples)
        return [example["text"] for example in examples]

    async def run():
        batcher = Batcher(Limits(batch=1, queue=3, wait=0))
        kind = Kind(("a",), None, work)
        first = asyncio.create_task(batcher.answers([Job(kind, {"text": "first"})]))
        await asyncio.to_thread(begun.wait, 10)
        others = [asyncio.create_task(batcher.answers([Job(kind, {"text": text})])) for text in ("b", "c", "d")]
        await asyncio.sleep(0.01)
        with pytest.raises(Refusal) as refused:
            await batcher.answers([Job(kind, {"text": "e"})])
        assert refused.value.status == 503
        assert refused.value.response().headers["retry-after"] == "1"
        others[1].cancel()
        await asyncio.sleep(0.01)
        assert batcher.waiting == 2
        last = asyncio.create_task(batcher.answers([Job(kind, {"text": "f"})]))
        await asyncio.sleep(0.01)
        go_on.set()
        assert await first == ["first"]
        assert [await others[0], await others[2], await last] == [["b"], ["d"], ["f"]]
        batcher.close()

    asyncio.run(run())
    assert computed == ["first", "b", "d", "f"]


def test_batches_hold_texts_of_a_length_and_the_oldest_is_always_next():
    batches = []

    def work(examples):
        batches.append([len(example["text"]) for example in examples])
        return [None] * len(examples)

    async def run():
        batcher = Batcher(Limits(batch=3))
        kind = Kind(("a",), None, work)
        jobs = [Job(kind, {"text": "a" * length}) for length in (50, 1, 2, 51, 3, 52)]
        await batcher.answers(jobs)
        batcher.close()

    asyncio.run(run())
    assert [sorted(batch) for batch in batches] == [[50, 51, 52], [1, 2, 3]]


def test_a_request_that_cannot_be_computed_fails_alone(capsys):
    def work(examples):
        if any(example["text"] == "bad" for example in examples):
            raise RuntimeError("a fault")
        return [example["text"] for example in examples]

    async def run():
        batcher = Batcher(Limits())
        kind = Kind(("a",), None, work)
        texts = ["a", "bad", "c"]
        answers = [batcher.answers([Job(kind, {"text": text})]) for text in texts]
        found = await asyncio.gather(*answers, return_exceptions=True)
        batcher.close()
        return found

    first, bad, last = asyncio.run(run())
    assert (first, last) == (["a"], ["c"])
    assert isinstance(bad, RuntimeError)
    assert "a fault" in capsys.readouterr().err


def test_what_is_computed_alone_meets_no_other_computation():
    running, beside = [], []

    def work(alone):
        running.append(alone)
        time.sleep(0.03)
        beside.append(len(running) if alone else 1)
        running.remove(alone)

    async def run():
        batcher = Batcher(Limits())
        calls = [(batcher.alone, True), (batcher.aside, False), (batcher.compute, False), (batcher.alone, True)]
        await asyncio.gather(*(call(work, alone) for call, alone in calls * 2))
        batcher.close()

    asyncio.run(run())
    assert beside == [1] * 8
