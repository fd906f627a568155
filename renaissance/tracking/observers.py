"""Sacred's observers, from its own flags (`-F folder`, `-m host:port:db`, `-s url`, ...): on one process, and checked.

Comes in: the flags of the command line. Goes out: a Sacred run whose observers can be reached, or a `UserError`
within seconds, before anything is trained. The only file of the library that knows Sacred.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sacred import Experiment
from sacred.observers import FileStorageObserver, MongoObserver, SqlObserver
from sacred.observers.mongo import get_pattern as mongo_pattern
from sacred.run import Run
from sacred.utils import apply_backspaces_and_linefeeds

from renaissance.errors import UserError
from renaissance.launched import is_first_process

OBSERVER_FLAGS = ("--file_storage", "--mongo_db", "--sql", "--s3", "--tiny_db")
MONGO_SECONDS = 2.0  # how long to wait for a MongoDB before saying that it cannot be reached


def wants_observers(flags: Mapping[str, Any]) -> bool:
    """Whether the flags ask for an observer, and this is the process that has them."""
    return is_first_process() and any(flags.get(name) for name in OBSERVER_FLAGS)


def last_states(text: str) -> str:
    """Captured output in which a progress bar that wrote over itself has only its last state.

    Sacred filters everything captured so far at every heartbeat; only lines that were written over cost anything.
    """
    *lines, last = text.split("\n")
    states = [*(line.rstrip("\r") for line in lines), last]
    return "\n".join(
        apply_backspaces_and_linefeeds(state) if "\r" in state or "\b" in state else state for state in states
    )


def record_sources(experiment: Experiment, root: Path) -> None:
    """Tell the experiment its source files, and the commit where the folder is under git.

    Sacred itself would only find `config.py`, and would ask git at every start, `print_config` included.

    Args:
        experiment: the experiment.
        root: the folder of `run.py`.
    """
    try:
        experiment.save_git_info = True
        experiment.add_source_file(str(root / "run.py"))
    except Exception:  # no git, no commit yet, somebody else's folder: many errors of two libraries, one meaning
        experiment.save_git_info = False
        experiment.add_source_file(str(root / "run.py"))
    experiment.save_git_info = False
    for path in sorted((root / "renaissance").rglob("*.py")):
        experiment.add_source_file(str(path))


def apply_flags(options: Iterable[Any], flags: Mapping[str, Any], run: Run) -> None:
    """Do what Sacred's flags say to a run that has not started, and check its observers.

    Args:
        options: Sacred's command-line options.
        flags: the values of the flags by their long names.
        run: the run.

    Raises:
        UserError: for a malformed flag, a package that is missing, or an observer that cannot be reached.
    """
    for option in options:
        name, value = option.get_flag(), flags.get(option.get_flag())
        if not value or (name in OBSERVER_FLAGS and (run.unobserved or not is_first_process())):
            continue
        if name == "--mongo_db" and not re.match(mongo_pattern(), value):
            raise UserError(
                f"-m {value}: must be [host:port:]database[.collection[:id]][!priority], "
                "such as -m localhost:27017:renaissance"
            )
        try:
            option.apply(value, run)
        except ImportError as error:
            raise UserError(f"{name} {value}: needs a package that is not installed ({error})") from error
        except Exception as error:  # whatever a driver makes of a wrong address; Sacred's own are ValueErrors
            raise UserError(f"{name} {value}: {error}") from error
    if run.capture_mode not in (None, "no", "sys", "fd"):
        raise UserError(f"--capture {run.capture_mode}: must be no, sys or fd")
    for observer in run.observers:
        _check(observer, run)


def _check(observer: Any, run: Run) -> None:
    """Raise a `UserError` unless the observer can be reached."""
    if isinstance(observer, MongoObserver):
        _check_mongo(observer)
    elif isinstance(observer, SqlObserver):
        try:
            observer.engine.connect().close()
        except Exception as error:  # every database driver has its own
            reason = str(error).splitlines()[0]
            raise UserError(f"-s {observer.engine.url}: this database cannot be reached ({reason})") from error
    elif isinstance(observer, FileStorageObserver):
        folder = Path(observer.basedir)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"-F {folder}: this folder cannot be made ({error.strerror})") from error
        if run._id is not None and (folder / str(run._id)).exists():
            raise UserError(f"-i {run._id}: {folder / str(run._id)} is there already; give another id")


def _check_mongo(observer: MongoObserver) -> None:
    import pymongo
    from pymongo.errors import PyMongoError

    client = observer.runs.database.client
    try:
        with pymongo.timeout(MONGO_SECONDS):
            observer.runs.find_one({}, {"_id": 1})
    except PyMongoError as error:
        where = ", ".join(f"{host}:{port}" for host, port in client._topology_settings.seeds)
        reason = str(error).split(",")[0].split(" (configured timeouts")[0]
        client.close()
        raise UserError(
            f"-m: the MongoDB at {where} cannot be used: {reason}. "
            "Start it, mend the address, or leave -m out to run without it."
        ) from error
