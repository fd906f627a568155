"""What Ctrl-C and SIGTERM do, by where a process is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from renaissance.errors import Interrupted
from renaissance.stop_signals import BEFORE_THE_WORK, STOP
from tests.command_line import ROOT

BOTH = pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=lambda sent: sent.name)


@pytest.fixture(autouse=True)
def in_charge():
    """As under run.py; what pytest does with signals comes back afterwards."""
    former = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with STOP.in_charge():
        yield
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == former
    assert STOP.received is None


@BOTH
def test_by_itself_it_unwinds(sent):
    with pytest.raises(Interrupted) as caught:
        signal.raise_signal(sent)
    assert caught.value.signum == sent


@BOTH
def test_deferred_it_waits_for_a_check_and_says_so(sent, capfd):
    with STOP.deferred("saving"):
        STOP.check()
        signal.raise_signal(sent)
        with pytest.raises(Interrupted) as caught:
            STOP.check()
    assert caught.value.signum == sent
    assert capfd.readouterr().err.strip() == f"{sent.name}: saving (once more to stop at once)"
    assert not STOP.insisted


def test_a_second_one_does_not_wait():
    with STOP.deferred("saving", lambda number: ZeroDivisionError()):
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(ZeroDivisionError):
            signal.raise_signal(signal.SIGTERM)
    assert (STOP.received, STOP.insisted) == (signal.SIGINT, True)


def test_every_deferral_may_come_to_its_end_once():
    """A second Ctrl-C in the step does not cost the summary, which is written behind it."""
    with STOP.deferred("finishing the run"):
        with STOP.deferred("finishing the step"):
            signal.raise_signal(signal.SIGINT)
            with pytest.raises(Interrupted):
                signal.raise_signal(signal.SIGINT)
        with STOP.deferred("writing"):
            signal.raise_signal(signal.SIGINT)


def test_when_all_is_done_it_is_noted_only():
    with STOP.deferred("saving"):
        STOP.finish()
    signal.raise_signal(signal.SIGTERM)
    assert STOP.received == signal.SIGTERM


def test_one_that_comes_in_a_destructor_is_raised_at_the_next_check(capfd):
    class Dying:
        def __del__(self):
            signal.raise_signal(signal.SIGTERM)

    Dying()
    assert capfd.readouterr().err == "", "no traceback of what Python ignores"
    with pytest.raises(Interrupted):
        STOP.check()


def test_a_process_forked_off_leaves_it_to_its_parent():
    child = os.fork()
    if child == 0:
        signal.raise_signal(signal.SIGTERM)
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


@BOTH
def test_before_the_work_begins_the_process_ends_at_once(sent):
    program = (
        "import signal, sys; from renaissance.stop_signals import STOP; STOP.install(leaving=True)\n"
        "try: signal.raise_signal(int(sys.argv[1]))\n"
        "finally: print('this is not reached')"
    )
    done = subprocess.run([sys.executable, "-c", program, str(int(sent))], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (128 + sent, "")
    assert done.stderr.strip() == BEFORE_THE_WORK


def test_run_py_receives_signals_before_it_imports():
    """Whatever comes before the handlers is a moment in which Ctrl-C is a traceback."""
    lines = [line for line in (ROOT / "run.py").read_text().splitlines() if line.startswith(("import", "from", "if"))]
    assert lines[:3] == [
        "from __future__ import annotations",
        "from renaissance.stop_signals import BEFORE_THE_WORK, STOP, leave",
        'if __name__ == "__main__":',
    ]
