"""Locks between processes that end however their holder does, also on file systems that have none of their own.

Where the system locks files (`flock`), a lock is that. Some network file systems do not (Lustre without `-o flock`,
some mounts of NFS and FUSE); there the holder writes who it is into a file beside, `<name>.held`, and touches that file
while it lives. Such a file counts no more when its process is gone (on this machine), or when it has not been touched
for STALE_SECONDS (on another).
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOLCK, errno.EINVAL)
BEAT_SECONDS = 20.0
STALE_SECONDS = 180.0
WAIT_SECONDS = 1.0  # between two looks at a lock that is waited for
# Whoever asks whether a lock is held shares it for an instant, and must not be taken for its holder.
TRIES, TRY_SECONDS = 5, 0.02


class AlreadyHeld(Exception):
    """Another process holds the lock."""


@contextmanager
def held(path: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock `path` while the block runs.

    Args:
        path: the lock's file, made where it is missing and left there.
        waiting: called once where another process holds the lock, before waiting for that; None does not wait.

    Raises:
        AlreadyHeld: another process holds it, and `waiting` is None.
    """
    with open(path, "a") as file:
        failed = 0
        while (release := _acquire(file, path)) is None:
            failed += 1
            if failed < TRIES:
                time.sleep(TRY_SECONDS)
                continue
            if waiting is None:
                raise AlreadyHeld(path)
            if failed == TRIES:
                waiting()
            time.sleep(WAIT_SECONDS)
        try:
            yield
        finally:
            release()


def is_held(path: Path) -> bool:
    """Whether a process holds the lock `path`; several may ask at once, also those who may only read it."""
    try:
        with open(path) as file:
            if _flock(file, shared=True) is False:
                return True
    except FileNotFoundError:
        return False
    content = _read(_beside(path))
    return content is not None and _alive(_beside(path), content)


def _acquire(file: IO[str], path: Path) -> Callable[[], None] | None:
    """Take the lock; gives what releases it, or None where another process has it."""
    taken = _flock(file)
    if taken is not None:
        return file.close if taken else None
    holder = _Holder(_beside(path))
    if not holder.take():
        return None
    print(
        f"warning: {path.parent} lies on a file system that cannot lock files; {holder.path.name} does instead, which "
        f"other machines see within {STALE_SECONDS:.0f} seconds of this process's end",
        file=sys.stderr,
    )
    return holder.release


def _flock(file: IO[str], shared: bool = False) -> bool | None:
    """Lock a file until it is closed; False where another process has locked it, None where files cannot be locked.

    Args:
        file: open.
        shared: lock it beside others who share it, and not beside one who holds it alone.
    """
    try:
        import fcntl
    except ImportError:  # Windows: two processes at once are the user's own care there
        return True
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in NO_LOCKS:
            return None
        raise
    return True


class _Holder:
    """A file that says who holds a lock.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._content = json.dumps(_myself())
        self._ended = threading.Event()

    def take(self) -> bool:
        """Write the file, where there is none of a process that lives; whether that was so."""
        if not self._write():
            there = _read(self.path)
            if there is not None and (_alive(self.path, there) or not self._remove(there)):
                return False
            if not self._write():
                return False
        threading.Thread(target=self._beat, daemon=True).start()
        return True

    def release(self) -> None:
        self._ended.set()
        self._remove(self._content)

    def _write(self) -> bool:
        """Make the file with its content in one step: a link to one that is complete fails where there is one."""
        draft = _own(self.path, "draft")
        draft.write_text(self._content)
        try:
            os.link(draft, self.path)
        except FileExistsError:
            return False
        except OSError:  # a file system without links
            return self._write_exclusively()
        finally:
            draft.unlink(missing_ok=True)
        return True

    def _write_exclusively(self) -> bool:
        try:
            with open(self.path, "x") as file:
                file.write(self._content)
        except FileExistsError:
            return False
        return True

    def _remove(self, content: str) -> bool:
        """Remove the file, if it has this content; another process may have done so and written its own meanwhile."""
        aside = _own(self.path, "old")
        try:
            os.rename(self.path, aside)
        except FileNotFoundError:
            return True
        if _read(aside) == content:
            aside.unlink(missing_ok=True)
            return True
        os.rename(aside, self.path)
        return False

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            with suppress(OSError):
                os.utime(self.path)


def _myself() -> dict[str, Any]:
    return {"host": _host(), "boot": _boot(), "pid": os.getpid(), "started": _started(os.getpid())}


def _alive(path: Path, content: str) -> bool:
    """Whether the process that wrote `content` into `path` lives, as far as can be known from here."""
    try:
        holder = json.loads(content)
        host, boot, pid, started = (holder[key] for key in ("host", "boot", "pid", "started"))
    except (ValueError, KeyError, TypeError):  # being written, or not ours
        return _age(path) < STALE_SECONDS
    if host != _host():
        return _age(path) < STALE_SECONDS
    return bool(boot == _boot() and process_exists(pid) and started == _started(pid))


def _age(path: Path) -> float:
    """Seconds since a file was touched, by the clock of its file system."""
    clock = _own(path, "clock")
    try:
        clock.touch()
        return clock.stat().st_mtime - path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")
    finally:
        clock.unlink(missing_ok=True)


def process_exists(pid: int) -> bool:
    """Whether this machine has a process of a number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _host() -> str:
    """What numbers processes: this machine, or the container that this process is in."""
    with suppress(OSError):
        return f"{socket.gethostname()} {os.readlink('/proc/self/ns/pid')}"
    return socket.gethostname()


def _boot() -> str | None:
    """What tells one start of this machine from another; None where the system does not say."""
    return _read(Path("/proc/sys/kernel/random/boot_id"))


def _started(pid: int) -> str | None:
    """When a process was started, in ticks: a number that comes again belongs to another. None where unknown."""
    content = _read(Path(f"/proc/{pid}/stat"))
    return content.rpartition(")")[2].split()[19] if content else None


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None


def _own(path: Path, purpose: str) -> Path:
    """A name beside `path` that no other process uses."""
    return path.with_name(f"{path.name}.{socket.gethostname()}.{os.getpid()}.{purpose}")


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.held")
