"""The other processes of a run: whether they are alive, and what ends this one when they are not.

Collective operations of a process whose peer is gone fail at once or wait for hours, depending on how the peer went,
and never say which it was. So each process gives a sign of life every second through a store that the first one keeps.
The first one watches all others, they watch the first one and read there what it has found out.

    alive    gives signs of life           nothing happens
    ended    said so, with its reason      the others end too, and say which it was and why
    lost     gives no sign of life         the others end too, and name it

The work ends by itself where a collective operation fails. Where one waits for a process that will not come, nothing
can wake it, so after LEAVING_SECONDS the watch says what is the matter and ends the process.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Self

import torch
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from renaissance.errors import RunError, ToldElsewhere, UserError
from renaissance.stop_signals import STOP, leave
from renaissance.training.devices import Devices
from renaissance.training.stores import opened_store

BEAT_SECONDS = 1.0
SUSPICIOUS_SECONDS = 5.0  # the patience where a collective operation has failed: something has happened to somebody
LEAVING_SECONDS = 10.0  # for this process's work to find that it cannot go on
TELLING_SECONDS = 5.0  # that a process stays at its end for the others to hear of it
DONE, AT_WORK = "done", ""


class Peers:
    """The other processes as a run's work sees them; of a run of one process there are none.

    Attributes:
        kept: says what of the run is kept, and how to go on; nothing as long as there is no folder.
    """

    def __init__(self) -> None:
        self.kept: Callable[[], str] = str

    @contextmanager
    def in_words(self) -> Iterator[None]:
        """Around the work: what ends it for another process's sake is said in one message.

        Raises:
            RunError: another process has ended, or is lost.
            ToldElsewhere: another process on this machine says what this one would.
        """
        yield


@dataclass(frozen=True)
class Verdict:
    """Why a run cannot go on.

    Attributes:
        text: in words, with the names of the processes.
        ranks: the numbers of the processes that are gone.
    """

    text: str
    ranks: list[int]


class Watched(Peers):
    """Several processes, watched from when they have joined.

    Args:
        devices: the run's.
        address: of the first process's machine.
        timeout: seconds without a sign of life from a process until it is lost.
    """

    def __init__(self, devices: Devices, address: str, timeout: float) -> None:
        super().__init__()
        self._devices = devices
        self._first = devices.rank == 0
        self._timeout = timeout
        self._patience = timeout
        self._names: list[str] = [""] * devices.world_size
        self._said = AT_WORK  # by this process, to the others
        self._first_said = AT_WORK  # by the first one
        self._verdict: Verdict | None = None
        self._all_over = threading.Event()  # nobody is left to be watched
        self._leaving = threading.Event()  # the work has ended, in whatever way
        self._over = threading.Event()
        self._published = threading.Event()  # what this process said last
        self._beats = 0
        self._answered = time.monotonic()  # when the store last did
        self._seen = dict.fromkeys(range(devices.world_size), (-1, time.monotonic()))  # newest beat, and when it came
        torch.distributed.all_gather_object(
            self._names, f"rank {devices.rank} (on {socket.gethostname()}, process {os.getpid()})"
        )
        self._store = self._opened(address)
        # Two, for what is asked of a store behind a cut cable is never answered, nor refused.
        targets = (self._beat_on, self._watch)
        self._threads = [threading.Thread(target=target, daemon=True, name="peers") for target in targets]

    def _opened(self, address: str) -> TCPStore:
        """The store, kept by the first process, with an entry for each."""
        limit, port = timedelta(seconds=max(self._timeout, 2 * BEAT_SECONDS)), [0]
        store = None
        if self._first:
            store = opened_store(address, 0, self._devices.nodes, first=True, timeout=limit)
            for rank in range(self._devices.world_size):
                store.set(f"beat/{rank}", "0")
                store.set(f"said/{rank}", AT_WORK)
            store.set("verdict", "")
            port = [store.port]
        torch.distributed.broadcast_object_list(port, src=0)
        return store or opened_store(address, port[0], self._devices.nodes, first=False, timeout=limit)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._leaving.set()
        if self._said == AT_WORK:
            self._say(DONE)
        if self._first and kind is None:  # the others may have something left to do, and the store is needed for it
            while not self._all_over.wait(BEAT_SECONDS) and self._verdict is None:
                pass
        elif self._first:
            self._all_over.wait(TELLING_SECONDS)
        self._over.set()
        for thread in self._threads:
            thread.join(2 * BEAT_SECONDS)

    @contextmanager
    def in_words(self) -> Iterator[None]:
        try:
            yield
        except (UserError, RunError) as error:
            self._leave(str(error))
            if self._devices.local_rank and self._first_said == str(error):
                raise ToldElsewhere(2 if isinstance(error, UserError) else 1) from error
            raise
        except Exception as error:
            if not _is_of_communication(error):
                self._leave(f"{type(error).__name__}: {_first_line(error)}")
                raise
            verdict = self._found_out(error)
            self._leave(verdict.text)
            if self._is_told_elsewhere(verdict):
                raise ToldElsewhere(1) from error
            raise RunError(f"{verdict.text}\n{self.kept()}".rstrip()) from error
        except KeyboardInterrupt:
            self._leave("it was interrupted" if STOP.insisted else DONE)
            raise

    def _leave(self, reason: str) -> None:
        """Tell the others that this process ends, and why."""
        self._leaving.set()
        self._say(reason)
        if not self._first and reason != DONE:
            deadline = time.monotonic() + TELLING_SECONDS
            while not self._first_said and self._verdict is None and time.monotonic() < deadline:
                time.sleep(BEAT_SECONDS / 10)

    def _say(self, text: str) -> None:
        self._published.clear()
        self._said = text
        self._published.wait(3 * BEAT_SECONDS)

    def _found_out(self, error: Exception) -> Verdict:
        """Why a collective operation has failed, as far as that can be told."""
        self._patience = min(self._patience, SUSPICIOUS_SECONDS)
        self._leaving.set()
        deadline = time.monotonic() + self._timeout + 2 * BEAT_SECONDS
        while self._verdict is None and time.monotonic() < deadline:
            time.sleep(BEAT_SECONDS / 10)
        text = f"The processes of this run do not reach each other any more: {_first_line(error)}"
        return self._verdict or Verdict(text, [])

    def _is_told_elsewhere(self, verdict: Verdict) -> bool:
        """Whether the first process on this machine is there to say it."""
        return bool(self._devices.local_rank) and self._devices.rank - self._devices.local_rank not in verdict.ranks

    # In the threads of the watch

    def _watch(self) -> None:
        """End this process where it must end and does not."""
        found: float | None = None
        while not self._over.wait(BEAT_SECONDS):
            silence = time.monotonic() - self._answered
            if self._verdict is None and silence > self._patience:
                self._verdict = self._lost([0], silence)
            if self._verdict is None or self._leaving.is_set():
                continue
            found = found or time.monotonic()
            if time.monotonic() - found > LEAVING_SECONDS:
                self._end(self._verdict)

    def _beat_on(self) -> None:
        """Ask the store again and again; this thread alone does."""
        while not self._over.wait(BEAT_SECONDS if self._published.is_set() or self._said == AT_WORK else 0):
            try:
                self._beat()
            except RuntimeError:  # the store is gone, and with it the first process
                self._verdict = self._verdict or self._lost([0], time.monotonic() - self._answered)
                self._published.set()
                self._all_over.set()
                return
            self._answered = time.monotonic()

    def _beat(self) -> None:
        """Give a sign of life, and look at the others'."""
        rank, said = self._devices.rank, self._said
        self._beats += 1
        self._store.set(f"beat/{rank}", str(self._beats))
        self._store.set(f"said/{rank}", said)
        if said == self._said:
            self._published.set()
        if self._first:
            self._look_at_others()
        else:
            self._look_at_first()

    def _look_at_others(self) -> None:
        """Find out, as the first process, which are gone, and write it down for the rest."""
        others = range(1, self._devices.world_size)
        beats = self._store.multi_get([f"beat/{rank}" for rank in others])
        words = [one.decode() for one in self._store.multi_get([f"said/{rank}" for rank in others])]
        silent = [rank for rank, beat in zip(others, beats, strict=True) if self._is_silent(rank, int(beat))]
        lost = [rank for rank in silent if words[rank - 1] == AT_WORK]
        ended = [rank for rank in others if words[rank - 1] not in (AT_WORK, DONE)]
        if all(words[rank - 1] != AT_WORK or rank in silent for rank in others):
            self._all_over.set()
        if self._verdict is None and (lost or ended) and self._said == AT_WORK:
            self._verdict = (
                self._lost(lost, self._silence(lost)) if lost else self._ended(ended[0], words[ended[0] - 1])
            )
            self._store.set("verdict", json.dumps(vars(self._verdict)))

    def _look_at_first(self) -> None:
        """Read, as another process, what the first one knows, and see that it is there itself."""
        self._first_said, verdict = (one.decode() for one in self._store.multi_get(["said/0", "verdict"]))
        silent = self._is_silent(0, int(self._store.get("beat/0")))
        if self._verdict is not None or self._first_said == DONE:
            return
        if verdict:
            self._verdict = Verdict(**json.loads(verdict))
        elif self._first_said:
            self._verdict = self._ended(0, self._first_said)
        elif silent:
            self._verdict = self._lost([0], self._silence([0]))

    def _is_silent(self, rank: int, beat: int) -> bool:
        """Whether a process has given no new sign of life for longer than there is patience."""
        newest, when = self._seen[rank]
        if beat != newest:
            self._seen[rank] = beat, time.monotonic()
            return False
        return time.monotonic() - when > self._patience

    def _silence(self, ranks: list[int]) -> float:
        """For how many seconds these processes have given no sign of life."""
        return min(time.monotonic() - self._seen[rank][1] for rank in ranks)

    def _lost(self, ranks: list[int], silence: float) -> Verdict:
        names = ", ".join(self._names[rank] for rank in ranks)
        whose, what = ("its", "was") if len(ranks) == 1 else ("their", "were")
        return Verdict(
            f"{names} of {self._devices.world_size} {what} lost: no sign of life for {silence:.0f} seconds. Has "
            f"{whose} process been killed, or the network to {whose} machine been cut?",
            ranks,
        )

    def _ended(self, rank: int, reason: str) -> Verdict:
        return Verdict(f"{self._names[rank]} of {self._devices.world_size} has ended: {reason}", [rank])

    def _end(self, verdict: Verdict) -> None:
        """End this process, whose work waits for one that will not come."""
        if not self._is_told_elsewhere(verdict):
            with suppress(OSError, ValueError):
                print(f"{verdict.text}\n{self.kept()}", file=sys.stderr, flush=True)
        leave(1)


def _is_of_communication(error: Exception) -> bool:
    """Whether an error is a collective operation's that did not reach all processes; Gloo's have no type of theirs."""
    return isinstance(error, torch.distributed.DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error))


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
