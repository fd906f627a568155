"""The command line: `python run.py [command] with <named configurations> <name=value> ...`.

    python run.py with quickstart                          train and test
    python run.py with task_mlm_itm_deit_electra num_gpus=8 per_gpu_batchsize=32
    python run.py with quickstart seeds=[0,1,2]            the same with three seeds, and their mean
    python run.py sweep with quickstart sweep='{"learning_rate": [1e-3, 2e-3]}'
    python run.py prepare with dataset=coco raw_root=/data/coco
    python run.py runs with where='status=finished and learning_rate>1e-4' sort_by=best
    python run.py compare with 'runs=["result/mlm/1", "result/mlm/2"]'
    python run.py export with load_path=<checkpoint> export_dir=<folder>
    python run.py probe with load_path=<checkpoint> dataset=cifar10
    python run.py zeroshot with load_path=<checkpoint> dataset=cifar10
    python run.py search with load_path=<checkpoint> 'query="two red circles"'
    python run.py serve with load_path=<checkpoint> port=8000
    python run.py print_config with task_mlm_itm_deit_electra
    python run.py print_named_configs
    python run.py with plugins=my_task.py task_mine        train what a file of your own adds
    python run.py help                                     every command and flag
    python run.py help <command, setting or named configuration>
    python run.py completion bash                          what makes bash (or zsh, fish) complete all of this

Exit status 0 when the work was done; 2 for a mistake in what was given, with one message on standard error;
130 after Ctrl-C and 143 after SIGTERM, with the state saved; 1 for anything else: a full disk or a loss that is not
finite with one message, what is unforeseen with a traceback.

Sacred's own `run_commandline` swallows exceptions and knows only status 1, so the same steps are taken here.
Nothing is imported before the configuration is checked that takes long.
"""

from __future__ import annotations

from renaissance.stop_signals import BEFORE_THE_WORK, STOP, leave

if __name__ == "__main__":
    STOP.install(leaving=True)  # first: importing the rest takes longer than it takes to press Ctrl-C

# isort: split
import inspect
import logging
import os
import pdb
import re
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from config import add_configurations_of_plugins, ex  # before Sacred: it silences a warning that importing that gives

# isort: split
import colorama
from docopt import DocoptExit, docopt
from sacred.arg_parser import get_config_updates
from sacred.config import load_config_file
from sacred.initialize import create_run
from sacred.run import Run

from renaissance.commands.declaration import CommandDeclaration
from renaissance.commands.registry import commands
from renaissance.credentials import (
    HIDDEN,
    SECRETS,
    VARIABLES,
    arguments_without_credentials,
    flags_without_credentials,
    without_credentials,
)
from renaissance.errors import Interrupted, RunError, ToldElsewhere, UserError
from renaissance.plugins import load_plugins, missing_plugins
from renaissance.run_sets.command_line import CommandLine, makes_a_set
from renaissance.settings import Settings, check_settings
from renaissance.settings.chosen import Chosen
from renaissance.settings.completion import SHELLS, Words, completion_script, words_of
from renaissance.settings.discovery import suggestion
from renaissance.settings.help import grouped_settings, help_for_name
from renaissance.settings.reading import noting_reads, unread_in_words
from renaissance.tracking.observers import (
    add_observers_of_settings,
    apply_flags,
    record_sources,
    trackers_for_observers,
    wants_observers,
)

ROOT = Path(__file__).resolve().parent
CONFIG_FILES = (".json", ".yaml", ".yml")

OF_PLUGINS = "; a plug-in's are known where plugins=… names it"

# What is no command of Sacred's and takes no settings.
WITHOUT_SETTINGS = {
    "help": "Tell of all commands and flags, or of one command, setting or named configuration: help <name>.",
    "completion": f"Print what makes a shell complete the command line: completion {' or '.join(SHELLS)}.",
}

# What Sacred warns of in every run, and what our own messages say better.
ROUTINE = ("No observers have been added", "Added new config entry", "Changed type of", "Failed after", "Aborted after")


@ex.config_hook
def check(config: dict[str, Any], command_name: str, logger: logging.Logger) -> dict[str, Any]:
    """Report every fault of the configuration before anything else happens."""
    if command_name == "save_config":
        config.pop("config_filename", None)
    _refuse_passwords(config)
    checked_for = command_name if command_name in commands() else "train" if command_name == "main" else "print"
    settings = check_settings(config, checked_for)
    missing = missing_plugins({"plugins": settings.plugins})
    if missing:
        raise UserError(f"plugins: {', '.join(missing)} is named by a plug-in: name it on the command line yourself.")
    return {}


def _refuse_passwords(config: Mapping[str, Any]) -> None:
    """Refuse a secret, or an address with one, in a file or a plug-in: what Sacred has resolved goes into its records.

    Raises:
        UserError: naming the setting.
    """
    for name, variable in VARIABLES.items():
        address = config.get(name)
        if isinstance(address, str) and without_credentials(name, address) != address:
            raise UserError(
                f"{name}: has a password in it, or an option that may be one. Give that on the command line or in "
                f"{variable}, not in a file."
            )
    for name, variable in SECRETS.items():
        if config.get(name) not in (None, HIDDEN):
            raise UserError(f"{name}: is secret. Give it on the command line or in {variable}, not in a file.")


@ex.main
def main(_config: Mapping[str, Any], _run: Run) -> None:
    """Train and test; with test_only=True load_path=<checkpoint> test only. This is the command when none is given."""
    settings = check_settings(_config, "train")
    if makes_a_set(settings):
        from renaissance.run_sets.several import run_several

        STOP.begin()
        run_several(settings, _set_command_line(_run.meta_info))
        return
    from renaissance.training.run import run_experiment

    STOP.begin()
    # Not returned: Sacred's SQL observer takes nothing but a number for a result.
    _run.info["final"] = run_experiment(
        settings,
        chosen=_chosen(_run.meta_info, _config["test_only"]),
        log_scalar=_run.log_scalar,
        command_line=_run.meta_info["command_line"],
        trackers=trackers_for_observers(_run),
    )


@ex.command(unobserved=True)
def print_config(_config: Mapping[str, Any], _run: Run) -> None:
    """Print every setting in its group, with its meaning; with the flag -p also in alphabetical order."""
    changes = _run.config_modifications
    print(grouped_settings(_config, {*changes.modified, *changes.typechanged, *changes.added}))


def _add_command(command: CommandDeclaration) -> None:
    """Make a command of Sacred's out of a file of `renaissance/commands/`."""

    def work(_config: Mapping[str, Any], _run: Run) -> None:
        function = command.function()
        STOP.begin()
        settings = check_settings(_config, command.name)
        if command.starts_runs:  # they read the rest
            function(settings, _set_command_line(_run.meta_info))
            return
        with noting_reads(settings) as read:
            function(settings)
        unread = unread_in_words(command.name, _run.meta_info["config_updates"], read)
        if unread is not None:
            print(f"warning: {unread}", file=sys.stderr)

    work.__name__, work.__doc__ = command.name, command.meaning
    ex.command(work, unobserved=True)


for _command in commands().values():
    _add_command(_command)


def run_command_line(argv: list[str]) -> int:
    """Do what a command line says.

    Args:
        argv: as `sys.argv`. Passwords are taken out of its words, for others look there, too.

    Returns:
        the exit status.
    """
    with STOP.in_charge():
        return _done(argv)


def _done(argv: list[str]) -> int:
    """Do what a command line says, and answer every way in which it can end with its exit status."""
    flags: dict[str, Any] = {}
    try:
        flags = _parsed(argv)
        _load_plugins(flags["UPDATE"])
        if flags["help"] or flags["--help"]:
            _print_help(flags["COMMAND"], argv)
        elif flags["completion"]:
            print(completion_script(flags["SHELL"], _words()), end="")
        else:
            _run(flags, argv)
    except UserError as error:
        print(f"{error}", file=sys.stderr)
        return 2
    except RunError as error:
        print(f"{error}", file=sys.stderr)
        return 1
    except ToldElsewhere as error:
        return error.status
    except KeyboardInterrupt as error:
        return _interrupted(error.signum if isinstance(error, Interrupted) else signal.SIGINT)
    except BrokenPipeError:  # the reader of our output has gone: print_config … | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except Exception:
        if STOP.received is not None:  # it came in the middle of an import, say, which made another exception of it
            return _interrupted(STOP.received)
        traceback.print_exc()
        if flags.get("--pdb"):
            pdb.post_mortem()
        return 1
    if STOP.received is not None and not STOP.finished:  # a library has swallowed it
        return _interrupted(STOP.received)
    return 0


def _interrupted(signum: int) -> int:
    STOP.finish()
    print("interrupted" if STOP.begun else BEFORE_THE_WORK, file=sys.stderr)
    return 128 + signum


def _run(flags: dict[str, Any], argv: Sequence[str]) -> None:
    """Build Sacred's run, as `Experiment.run` does, with our checks in between, and start it."""
    command = flags["COMMAND"] or "main"
    updates, named = _updates(flags["UPDATE"])
    observed = not ex.commands[command].unobserved
    # With force Sacred leaves it to `check` to say what is wrong: it knows no setting whose keys are the user's own.
    run = create_run(ex, command, updates, named, force=True)
    if observed and (wants_observers(flags, run.config) or flags["--enforce_clean"]):
        record_sources(ex, ROOT)
        run.experiment_info = ex.get_experiment_info()
    run.meta_info.update(
        command=command,
        options=flags,
        named_configs=named,
        config_updates=updates,
        command_line=[os.path.relpath(argv[0]), *argv[1:]],
    )
    ex.current_run = run
    run.unobserved = run.unobserved or makes_a_set(run.config)  # its runs are observed
    apply_flags(ex.all_cli_options, flags, run)
    add_observers_of_settings(run)
    STOP.unwind()  # up to here there was nothing to undo
    if observed:
        run()
    else:
        with colorama.colorama_text():  # no colour codes where the output is no terminal
            run()


def _load_plugins(given: Sequence[str]) -> None:
    """Import the plug-ins that a command line names, before anything of it is checked: they add to what is right.

    They are those of `plugins=…` there; else of the last named configuration or file of settings that has some; else
    of the defaults in `config.py`. What else is wrong with the command line is told when all of it is checked.

    Raises:
        UserError: one of them cannot be imported.
    """
    found: list[Any] = []
    for part in given:
        if part in ex.named_configs:
            found.append(ex.named_configs[part]().get("plugins"))
        elif "=" not in part and not _faults_of_file(part):
            found.append(load_config_file(part).get("plugins"))
    written = [part for part in given if "=" in part and part.partition("=")[0].strip() == "plugins"]
    with suppress(TypeError, RecursionError, MemoryError):
        found += [get_config_updates([part])[0]["plugins"] for part in written]
    named = [value for value in found if value is not None] or [ex.configurations[0]()["plugins"]]
    names = [named[-1]] if isinstance(named[-1], str) else named[-1]
    if isinstance(names, list) and all(isinstance(name, str) and name for name in names):
        load_plugins(names)
        add_configurations_of_plugins()


def _parsed(argv: list[str]) -> dict[str, Any]:
    """The parts of a command line, which has no password in it from then on, whatever is said or written of it.

    Parsed first: a flag may be abbreviated, or stand in one word with others.

    Raises:
        UserError: if it has another form than the usage says, or names no command.
    """
    short_usage, _, internal_usage = _usage(argv[0])
    try:
        given: dict[str, Any] = dict(docopt(internal_usage, list(argv[1:]), default_help=False))
    except DocoptExit as error:
        argv[:] = arguments_without_credentials(argv)
        raise UserError(f"This command line is not understood: {' '.join(argv)}\n{short_usage}") from error
    argv[:] = arguments_without_credentials(argv, given)
    flags = flags_without_credentials(given)
    command = flags["COMMAND"]
    if command is not None and command not in ex.commands and not flags["help"]:
        if command == "with":
            raise UserError("Nothing follows `with`; python run.py print_named_configs lists what can")
        if "=" in command or command in ex.named_configs:
            raise UserError(f"`with` is missing: python run.py with {command}")
        near = suggestion(command, [*ex.commands, *WITHOUT_SETTINGS])
        raise UserError(
            f"There is no command {command!r}{near} (commands: {', '.join(ex.commands)}; to train, give none: "
            "python run.py with ...)"
        )
    return flags


def _usage(program: str) -> list[str]:
    """Sacred's usage texts, short, long and for docopt, with `completion`, which is none of its commands.

    Behind `with`, `help` and `completion` take the plug-ins whose names they are to know.
    """
    own = r"  \1 help [COMMAND] [(with UPDATE...)]\n  \1 completion [SHELL] [(with UPDATE...)]"
    return [re.sub(r"^  (.+) help \[COMMAND\]$", own, text, flags=re.MULTILINE) for text in ex.get_usage(program)]


def _words() -> Words:
    """What a shell completes."""
    from renaissance.data.sets import data_sets
    from renaissance.settings.registered_encoders import registered_image_encoders, registered_text_encoders
    from renaissance.training.optimizers.registry import optimizer_names
    from renaissance.training.schedules.registry import schedule_names

    return words_of(
        commands={name: _first_line(inspect.getdoc(function)) for name, function in ex.commands.items()}
        | WITHOUT_SETTINGS,
        shells=SHELLS,
        flags=[
            (option.get_flags(), bool(option.arg), _first_line(option.get_description()))
            for option in ex.all_cli_options
        ],
        configurations={name: _first_line(scope.__doc__) for name, scope in ex.named_configs.items()},
        names={
            "dataset": sorted(data_sets()),
            "optim_type": optimizer_names(),
            "schedule": schedule_names(),
            "image_encoder": registered_image_encoders(),
            "text_encoder": registered_text_encoders(),
        },
    )


def _first_line(text: str | None) -> str:
    return (text or "").partition("\n")[0]


def _print_help(command: str | None, argv: Sequence[str]) -> None:
    if command is None:
        print(_usage(argv[0])[1])
    elif command in ex.commands:
        print(f"{command}: {inspect.getdoc(ex.commands[command])}")
        if command in Settings.model_fields:
            print(f"\nThe setting of that name:\n{help_for_name(command, ex.commands, ex.named_configs)}")
    elif command in WITHOUT_SETTINGS:
        print(f"{command}: {WITHOUT_SETTINGS[command]}")
    else:
        print(help_for_name(command, ex.commands, ex.named_configs))


def _updates(given: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Settings and named configurations of what follows `with`.

    Raises:
        UserError: naming every part that is neither.
    """
    faults = []
    for part in given:
        name, equals, _ = part.partition("=")
        if equals and not re.fullmatch(r"\s*[A-Za-z_]\w*(\.\w+)*\s*", name):
            faults.append(f"{part}: must have the form name=value, without spaces around the =")
        elif not equals and part not in ex.named_configs:
            faults += _faults_of_file(part)
    if not faults:
        try:
            return get_config_updates(given)
        except (TypeError, RecursionError, MemoryError) as error:
            faults.append(f"{' '.join(given)}: {error}")
    count = "a fault" if len(faults) == 1 else f"{len(faults)} faults"
    raise UserError("\n".join([f"The command line has {count} after `with`:", *(f"  * {fault}" for fault in faults)]))


def _faults_of_file(name: str) -> list[str]:
    """Faults of a named configuration that is none of `config.py`: it may be a file, such as a run's config.json."""
    if name in Settings.model_fields:
        return [f"{name}: is a setting; give it a value: {name}=..."]
    path = Path(name)
    if not path.is_file():
        near = suggestion(name, ex.named_configs) or "; `python run.py print_named_configs` lists them"
        return [f"{name}: there is no such named configuration{near}{OF_PLUGINS}"]
    if path.suffix not in CONFIG_FILES:
        return [f"{name}: a file of settings must end in {' or '.join(CONFIG_FILES)}"]
    text = path.read_text(encoding="utf-8", errors="replace")
    if "py/" in text or "!!python" in text:
        return [f"{name}: holds Python objects; a file of settings has plain values only"]
    try:
        content = load_config_file(name)
    except Exception as error:  # of the parser of JSON or of YAML
        return [f"{name}: cannot be read as {path.suffix[1:]} ({error})"]
    return [] if isinstance(content, dict) else [f"{name}: must hold settings by name"]


def _chosen(meta: Mapping[str, Any], test_only: bool) -> Chosen:
    """What named configurations and the command line set, as opposed to defaults.

    A test is as its checkpoint was trained, and on the same data, whatever the task's named configuration begins a
    training with; only the command line changes that, or a configuration that names data and no task, such as `coco`.
    """
    named = {
        name: frozenset(ex.named_configs[name]() if name in ex.named_configs else load_config_file(name))
        for name in meta["named_configs"]
    }
    if test_only:
        named = {name: settings & {"datasets"} for name, settings in named.items() if "loss_names" not in settings}
    return Chosen(named, meta["config_updates"])


def _set_command_line(meta: Mapping[str, Any]) -> CommandLine:
    """The command line of a set of runs, of which those of its runs are made."""
    by_names = _chosen(meta, test_only=False).named.values()
    program = meta["command_line"][0]
    return CommandLine.of_options(program, meta["options"], meta["options"]["UPDATE"], frozenset().union(*by_names))


def _quiet_logger() -> logging.Logger:
    """Sacred's logger, without what it says in every run; `-l INFO` shows more."""
    handler = logging.StreamHandler()
    handler.addFilter(lambda record: not record.getMessage().startswith(ROUTINE))
    logger = logging.getLogger("sacred")
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    return logger


ex.logger = _quiet_logger()  # type: ignore[assignment]  # Sacred declares it as None

if __name__ == "__main__":
    leave(run_command_line(sys.argv))
