"""The exceptions that end the work with one message and no traceback."""


class UserError(Exception):
    """A mistake in what the user gave: a setting, a file, a folder.

    `run.py` prints its message on standard error, without a traceback, and exits with status 2.
    The message says what was wrong, where, and what to do next.
    """


class ExampleError(UserError):
    """A mistake in one of several examples.

    Args:
        message: what is told the user; names the example.
        index: its place in the batch.
        field: the field at fault.
        reason: what is wrong with it, without its name.
    """

    def __init__(self, message: str, index: int, field: str, reason: str) -> None:
        super().__init__(message)
        self.index = index
        self.field = field
        self.reason = reason


class RunError(Exception):
    """The work came to nothing for a reason that lies in no setting or file: a full disk, a loss that is no number.

    `run.py` prints its message on standard error, without a traceback, and exits with status 1.
    The message says what happened, where, what is kept, and how to go on.
    """


class DiskFull(RunError):
    """A file could not be written, for there is no room."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM stopped the work, and what had been done was saved.

    It is a `KeyboardInterrupt`, so that no `except Exception` on its way swallows it, and so that Sacred's
    observers record the run as interrupted rather than failed. `run.py` exits with 128 + `signum`.

    Args:
        signum: the signal, `signal.SIGINT` (exit status 130) or `signal.SIGTERM` (143).
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


class ToldElsewhere(Exception):
    """One of several processes of a run ends for a reason that another one on its machine tells.

    `run.py` prints nothing of it, and exits with `status`.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status
