"""The work of the command `sync`: what runs keep for a MongoDB is sent there.

It can be ended and begun again: what is there already is not sent twice. A run that is still at work is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Lock

from pymongo.errors import PyMongoError

from renaissance.credentials import with_credentials, without_credentials
from renaissance.errors import UserError
from renaissance.locks import AlreadyHeld, held
from renaissance.settings import Settings
from renaissance.tracking.mongo.address import Address
from renaissance.tracking.mongo.catching_up import take_metrics_of
from renaissance.tracking.mongo.journal import FOLDER, Journal
from renaissance.tracking.mongo.record import Record
from renaissance.tracking.mongo.sender import Sender
from renaissance.tracking.run_folder import RunFolder, is_alive

KILLED = "INTERRUPTED"  # the status of a run that ended without a word


def sync_runs(settings: Settings) -> int:
    """Send the records of the runs that the settings name, or of all below `log_dir`.

    Args:
        settings: checked for the command `sync`.

    Returns:
        how many runs were sent.

    Raises:
        UserError: the server cannot be reached, or did not take all of them; or a run that is named cannot be sent.
    """
    whole = settings.mongo_url or with_credentials("mongo_url", None)
    assert whole is not None
    address = Address.of_url(without_credentials("mongo_url", whole))
    _check(address)
    named = [Path(run) for run in settings.runs] if settings.runs is not None else None
    folders = named if named is not None else list(_recorded_below(Path(settings.log_dir)))
    refused: list[str] = []
    for folder in folders:
        try:
            number, was_there = _sync(folder, address, settings.mongo_checkpoints)
            before = ", and was there already" if was_there else ""
            print(f"{folder}: is run {number} of {address.server}{before}", flush=True)
        except _LeftAlone as why:
            if named is not None:
                refused.append(f"{folder}: {why}")
            print(f"{folder}: left alone, {why}", flush=True)
        except Exception as error:  # whatever a damaged record brings about: the others are sent all the same
            refused.append(f"{folder}: {address.reason(error)}")
    if refused:
        raise UserError("\n".join(["sync: not everything was sent:", *(f"  * {line}" for line in refused)]))
    if not folders:
        print(f"{settings.log_dir}: no run below it has a record for MongoDB; a run that is given mongo_url keeps one")
    return len(folders)


class _LeftAlone(Exception):
    """A run that is not sent, and why."""


def _sync(folder: Path, address: Address, checkpoints: bool) -> tuple[int | str | None, bool]:
    """Send the record of a run; the run's number on the server, and whether it was there before."""
    journal, run = Journal(folder), RunFolder(folder)
    if not journal.events.is_file():
        raise _LeftAlone("it has no record for MongoDB: it was trained without mongo_url")
    try:
        with held(journal.lock):
            if is_alive(run):
                raise _LeftAlone("it is still at work")
            record = journal.read()
            if record is None:
                raise _LeftAlone(f"{journal.events} holds no record")
            _bring_up_to_date(record, run)
            return _sent(Sender(address, journal, record, Lock(), checkpoints))
    except AlreadyHeld:
        raise _LeftAlone("it is still at work") from None


def _bring_up_to_date(record: Record, run: RunFolder) -> None:
    """Give a record the metrics that the run's folder has, and an end, where the process was killed before one."""
    take_metrics_of(record, run)
    if record.end is None:
        last = record.heartbeat if record.heartbeat is not None else float(record.start["time"])
        record.take({"event": "ended", "status": KILLED, "time": last})


def _sent(sender: Sender) -> tuple[int | str | None, bool]:
    """Send a record until the server has all of it; the run's number there, and whether it was there before."""
    try:
        was_there = sender.was_there()
        sender.send()
        if not sender.check():
            sender.send()
        return sender.number, was_there
    finally:
        sender.close()


def _check(address: Address) -> None:
    """Raise a `UserError` unless the server answers."""
    try:
        with address.client() as client:
            client[address.database][address.collection].find_one({}, {"_id": 1})
    except (PyMongoError, ValueError) as error:
        raise UserError(
            f"mongo_url={address.url}: the MongoDB cannot be used: {address.reason(error)}. "
            "Start it, or mend the address."
        ) from error


def _recorded_below(log_dir: Path) -> Iterator[Path]:
    """The runs below a folder that keep a record."""
    for path in sorted(log_dir.glob(f"**/{FOLDER}/journal.jsonl")):
        yield path.parent.parent
