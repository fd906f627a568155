"""Sacred's observers, from its own flags (`-F folder`, `-m host:port:db`, `-s url`, ...) and from settings.

Comes in: the flags of the command line, and the settings `mongo_url` and `sql_url`. Goes out: a Sacred run with its
observers, on one process alone. A folder or a database of a flag that cannot be reached is a `UserError` before
anything is trained. MongoDB, by flag or setting, and the database of `sql_url` have observers of our own, which never
hurt a run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sacred import Experiment
from sacred.observers import FileStorageObserver, SqlObserver
from sacred.observers.mongo import get_pattern as mongo_pattern
from sacred.observers.mongo import parse_mongo_db_arg
from sacred.run import Run
from sacred.utils import apply_backspaces_and_linefeeds

from renaissance.credentials import VARIABLES, secrets_of, stripped, with_credentials, without_credentials
from renaissance.errors import UserError
from renaissance.launched import is_first_process
from renaissance.tracking.history import read_history, run_of
from renaissance.tracking.run_folder import newest_unfinished

if TYPE_CHECKING:
    from renaissance.tracking.mongo.address import Address
    from renaissance.tracking.trackers.interface import Tracker

OBSERVER_FLAGS = ("--file_storage", "--mongo_db", "--sql", "--s3", "--tiny_db")
SETTINGS = tuple(VARIABLES)  # those that name an observer


def wants_observers(flags: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Whether flags or settings ask for an observer, and this is the process that has them."""
    return is_first_process() and (
        any(flags.get(name) for name in OBSERVER_FLAGS) or any(_address_of(name, config) for name in SETTINGS)
    )


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
                "such as -m localhost:27017:renaissance; an address with a name and a password is for mongo_url"
            )
        try:
            if name == "--mongo_db" and not flags.get("--queue"):
                run.observers.append(_mongo_observer(_address_of_flag(value), run))
            else:
                option.apply(with_credentials("sql_url", value) if name == "--sql" else value, run)
        except ImportError as error:
            raise UserError(f"{name} {value}: needs a package that is not installed ({error})") from error
        except Exception as error:  # whatever a driver makes of a wrong address; Sacred's own are ValueErrors
            whole = with_credentials("sql_url", value) if name == "--sql" else ""
            raise UserError(f"{name} {value}: {_without_secrets(error, whole or '')}") from error
    if run.capture_mode not in (None, "no", "sys", "fd"):
        raise UserError(f"--capture {run.capture_mode}: must be no, sys or fd")
    for observer in run.observers:
        _check(observer, run)


def add_observers_of_settings(run: Run) -> None:
    """Add the observers that `mongo_url` and `sql_url` ask for to a run that has not started.

    The flag -m goes before `mongo_url`; a run that goes on has the `mongo_url` that it began with, where none is given.

    Raises:
        UserError: for an address that is none, or a package that is missing.
    """
    if run.unobserved or run.queue_only or not is_first_process():
        return
    mongo_url, sql_url = (_address_of(name, run.config) for name in SETTINGS)
    if mongo_url and not any(hasattr(observer, "tracker") for observer in run.observers):
        from renaissance.tracking.mongo.address import Address

        run.observers.append(_mongo_observer(Address.of_url(mongo_url), run))
    if sql_url:
        from renaissance.tracking.sql_observer import forgiving_sql_observer

        run.observers.append(forgiving_sql_observer(sql_url))


def trackers_for_observers(run: Run) -> list[Tracker]:
    """Trackers that tell those observers of a run which want to know more of it than Sacred tells them."""
    return [observer.tracker() for observer in run.observers if hasattr(observer, "tracker")]


def _mongo_observer(address: Address, run: Run) -> Any:
    """An observer that records a run in MongoDB; its packages are imported only where it is asked for."""
    from renaissance.tracking.mongo.recorder import MongoObserver

    return MongoObserver(address, run.config["mongo_wait"], run.config["mongo_checkpoints"])


def _address_of_flag(value: str) -> Address:
    """The database that `-m` names."""
    from renaissance.tracking.mongo.address import DATABASE, Address

    given = parse_mongo_db_arg(value)
    number = given.get("overwrite")
    return Address(
        f"mongodb://{given.get('url', 'localhost:27017')}",
        given.get("db_name", DATABASE),
        given.get("collection", "runs"),
        None if number is None else int(number),
    )


def _address_of(setting: str, config: Mapping[str, Any]) -> str | None:
    """The address that a setting has, or the environment, or the run that goes on; None where none of them has one."""
    given, resumed = config[setting] or with_credentials(setting, None), config["resume_from"]
    if given is None and resumed is not None:
        auto = resumed == "auto"
        folder = newest_unfinished(config["log_dir"], config["exp_name"]) if auto else run_of(Path(resumed))
        history = read_history(folder) if folder else None
        given = history.settings_now().get(setting) if history else None
    return without_credentials(setting, given) if isinstance(given, str) and given else None


def _check(observer: Any, run: Run) -> None:
    """Raise a `UserError` unless the observer can be reached."""
    if isinstance(observer, SqlObserver):
        try:
            observer.engine.connect().close()
        except Exception as error:  # every database driver has its own
            whole = observer.engine.url.render_as_string(hide_password=False)
            reason = _without_secrets(error, whole).splitlines()[0]
            raise UserError(f"-s {stripped(whole)}: this database cannot be reached ({reason})") from error
    elif isinstance(observer, FileStorageObserver):
        folder = Path(observer.basedir)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"-F {folder}: this folder cannot be made ({error.strerror})") from error
        if run._id is not None and (folder / str(run._id)).exists():
            raise UserError(f"-i {run._id}: {folder / str(run._id)} is there already; give another id")


def _without_secrets(error: Exception, address: str) -> str:
    """What an error says, without a name or a password that may be in it; the address is the whole one."""
    text = re.sub(r"\w+://\S+@\S*", lambda match: stripped(match[0]), str(error))
    for part in secrets_of("sql_url", address):
        text = text.replace(part, "***")
    return text
