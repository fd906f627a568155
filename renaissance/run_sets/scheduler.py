"""Runs the runs of a set, so many at once, and writes down at every change what has become of them.

Comes in: a `Source`, which says what is to run next and hears of every validation and every end; a `Launcher`, which
starts runs. Goes out: the states in `set.json`. A process that goes on with a set after the death of an earlier one
finds there what has ended and what was at work, and the latter is resumed in its own folder.
"""

from __future__ import annotations

import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from renaissance.errors import Interrupted
from renaissance.run_sets.launchers.interface import Launcher, Started
from renaissance.run_sets.member import Member, State
from renaissance.run_sets.objective import MetricsTail, Objective
from renaissance.run_sets.progress import Progress
from renaissance.run_sets.run_warnings import warnings_in
from renaissance.run_sets.set_folder import RunSet
from renaissance.stop_signals import STOP
from renaissance.tracking.run_folder import RunFolder, new_run_folder

LOOK_SECONDS = 0.2  # between two looks at the runs
END_SECONDS = 30.0  # what a run that was told to end at once may still take
MISTAKE = 2  # exit status of a run that was given something wrong


class Source(Protocol):
    """What is to run, and what its results mean."""

    def next(self) -> Member | None:
        """The next run to start or to go on with; None where there is none now."""

    def validated(self, member: Member, step: int, value: float) -> bool:
        """Hear of a validation; whether the run is to be given up."""

    def ended(self, member: Member, status: int) -> None:
        """Hear that a run has ended: its state says how, `status` is what it exited with.

        Raises:
            UserError: no other run can do better, since something that is wrong was given to all.
        """


@dataclass
class _AtWork:
    member: Member
    started: Started
    tail: MetricsTail
    since: float
    given_up: bool = False
    told_to_end: bool = False


class Scheduler:
    """Runs a set.

    Args:
        run_set: the set, whose folder this process has locked.
        source: what is to run.
        launcher: starts runs.
        objective: what validations are told by.
        at_once: how many runs go on at the same time.
        where: `log_dir` and `exp_name`, below which run folders are made.
        total: runs that the set has in the end, as far as is known.
    """

    def __init__(
        self,
        run_set: RunSet,
        source: Source,
        launcher: Launcher,
        objective: Objective,
        at_once: int,
        where: tuple[str, str],
        total: int,
    ) -> None:
        self._set = run_set
        self._source = source
        self._launcher = launcher
        self._objective = objective
        self._at_once = at_once
        self._where = where
        self._at_work: list[_AtWork] = []
        self._progress = Progress(total, sum(member.state is State.FINISHED for member in run_set.members))

    def run(self) -> None:
        """Run until nothing is left to start and all has ended.

        Raises:
            Interrupted: after Ctrl-C or SIGTERM; the runs have saved their states.
            UserError: a run was given something wrong that all are given.
        """
        notice = "the runs save their state and end" if self._launcher.stops_with_us else "the jobs go on"
        try:
            with STOP.deferred(notice):
                self._pick_up()
                while self._turn():
                    time.sleep(LOOK_SECONDS)
                STOP.check()
        finally:
            self._end_all()
            self._progress.close()

    def _pick_up(self) -> None:
        """Take up what an earlier process left at work."""
        for member in self._set.members:
            if member.state is not State.RUNNING:
                continue
            started = self._launcher.settle(member)
            if started is not None:
                self._progress.tell(member, f"goes on as job {member.job}")
                self._add(member, started)
            elif member.folder is not None and member.run.finished:
                self._note(member, State.FINISHED, "had finished")
            else:
                member.state = State.STOPPED
        self._set.save()

    def _turn(self) -> bool:
        """Look at every run once, and start what there is room for; whether anything is still at work."""
        if STOP.received is not None:
            self._pass_on(STOP.received)
        for one in list(self._at_work):
            status = one.started.poll()
            self._hear(one)
            if status is not None:
                self._at_work.remove(one)
                self._judge(one, status)
        while STOP.received is None and len(self._at_work) < self._at_once:
            member = self._source.next()
            if member is None:
                break
            self._start(member)
        return bool(self._at_work)

    def _start(self, member: Member) -> None:
        """Start a run, or go on with it; it is written down before, so that a kill at any moment leaves it findable."""
        if member not in self._set.members:
            self._set.members.append(member)
        if member.folder is None:
            member.folder = str(new_run_folder(*self._where).path)
        resume = member.run.last_checkpoint.exists()
        if not resume:
            _empty(member.run)
        member.state, member.problem = State.RUNNING, ""
        self._set.save()
        started = self._launcher.start(member, resume)
        self._set.save()  # with its job's number
        job = f", job {member.job}" if member.job else ""
        self._progress.tell(member, f"{'goes on' if resume else 'starts'} in {member.folder}{job}")
        self._add(member, started)

    def _add(self, member: Member, started: Started) -> None:
        tail = MetricsTail(member.run.metrics, self._objective)
        self._at_work.append(_AtWork(member, started, tail, time.monotonic()))

    def _hear(self, one: _AtWork) -> None:
        """Tell of the validations since the last look."""
        for step, value in one.tail.new():
            self._progress.tell(one.member, f"step {step:,}  {self._objective.name} {value:.4g}")
            if self._source.validated(one.member, step, value) and not one.given_up:
                one.given_up = one.told_to_end = True
                one.member.state = State.PRUNED
                self._set.save()  # first: a process that goes on with the set does not resume it
                self._progress.tell(one.member, f"given up at step {step:,}: others are better")
                one.started.stop(signal.SIGTERM)

    def _judge(self, one: _AtWork, status: int) -> None:
        """Note how a run has ended."""
        member = one.member
        if member.run.finished:
            self._note(member, State.FINISHED, f"finished in {time.monotonic() - one.since:,.0f} s")
        elif one.given_up:
            self._note(member, State.PRUNED, "given up, with its state saved")
        elif STOP.received is not None and self._launcher.stops_with_us:
            self._note(member, State.STOPPED, "stopped")
        else:
            member.problem = one.started.problem()
            ending = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
            self._note(member, State.FAILED, f"failed ({ending})")
            if status != MISTAKE:  # a mistake is one message, which the set ends with
                self._progress.show(member.problem)
        if member.state is not State.FAILED:  # of one that failed, the end of what it said was shown
            for said in warnings_in(self._set.output_of(member)):
                self._progress.tell(member, said)
        if member.state is State.FAILED and member.run.path.is_dir() and not any(member.run.path.iterdir()):
            member.run.path.rmdir()  # it came to nothing that a folder would hold
            member.folder = None
        self._set.save()
        self._source.ended(member, status)
        self._set.save()

    def _note(self, member: Member, state: State, event: str) -> None:
        member.state = state
        self._progress.tell(member, event)
        self._progress.ended()

    def _pass_on(self, signum: int) -> None:
        """Hand a signal on to the runs; jobs go on without this process."""
        if not self._launcher.stops_with_us:
            self._at_work.clear()
            raise Interrupted(signum)
        for one in self._at_work:
            if not one.told_to_end:
                one.told_to_end = True
                one.started.stop(signum)

    def _end_all(self) -> None:
        """Whatever is still at work, after a second signal or a fault of ours, ends now."""
        if not self._launcher.stops_with_us:
            return
        for one in self._at_work:
            one.started.stop(STOP.received or signal.SIGTERM)
        until = time.monotonic() + END_SECONDS
        for one in self._at_work:
            while one.started.poll() is None and time.monotonic() < until:
                time.sleep(LOOK_SECONDS / 4)
            if one.started.poll() is None:
                one.started.kill()
            if one.member.state is State.RUNNING:
                one.member.state = State.FINISHED if one.member.run.finished else State.STOPPED
        self._at_work.clear()
        try:
            self._set.save()
        except OSError as error:  # what ended the set is what its user is to read
            print(f"warning: {self._set.path}: its state cannot be written ({error})", file=sys.stderr)


def _empty(folder: RunFolder) -> None:
    """Remove what a run that was killed before its first checkpoint left: it starts again in the same folder."""
    if folder.path.is_dir():
        for path in folder.path.iterdir():
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
