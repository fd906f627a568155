"""`python run.py`: exit statuses, messages, how fast it answers, and Sacred's observers.

Training itself is replaced by a few lines, so that each test is one short process without PyTorch.
"""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import run_py

REPOSITORY = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "transformers", "pytorch_lightning", "kornia", "matplotlib", "pyarrow", "pymongo", "git", "pandas")

STAND_IN = """
import os, signal, sys, time, types

def run_experiment(settings, chosen, log_scalar, command_line, trackers):
    from tqdm import tqdm
    print("chosen:", *sorted(chosen.names))
    print("command:", *command_line)
    for step in tqdm(range(3)):
        log_scalar("mlm/train/loss", 1.0 / (step + 1), step)
    {action}
    return {{"mlm/test/loss": 0.5}}

training = types.ModuleType("renaissance.training.run")
training.run_experiment = run_experiment
sys.modules["renaissance.training.run"] = training
import run
sys.exit(run.run_command_line(["run.py", *sys.argv[1:]]))
"""


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python run.py <arguments>`."""
    return run_py(*arguments, environment=environment, timeout=60)


def training(*arguments: str, action: str = "pass", **environment: str) -> subprocess.CompletedProcess[str]:
    """`python run.py <arguments>` with training replaced; it takes `action` when it has logged."""
    return _process([sys.executable, "-c", STAND_IN.format(action=action), *arguments], environment)


def _process(argv: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, cwd=REPOSITORY, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("name", ["print_config", "print_named_configs"])
def test_printing_answers_at_once(name: str) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = _process([sys.executable, "-X", "importtime", "run.py", name, "with", "task_mlm_itm_deit_electra"], {})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "sacred" in imported
    assert not imported & set(HEAVY)
    # Processor seconds rather than the clock's, so that a busy machine is no fault.
    assert after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime < 1.5


def test_print_config_shows_the_resolved_settings_and_nothing_else() -> None:
    done = command("print_config", "with", "task_mlm_itm_deit_electra", "batch_size=99")
    assert (done.returncode, done.stderr) == (0, "")
    assert "batch_size = 99 " in done.stdout
    assert "max_steps = 50000 " in done.stdout
    assert "\x1b" not in done.stdout, "colour codes where there is no terminal"
    assert "__doc__" not in done.stdout


def test_named_configurations_are_listed_with_what_they_are() -> None:
    assert "task_mlm_itm_deit_electra   # Pretrain DeiT-tiny and ELECTRA-small" in command("print_named_configs").stdout


def test_help_names_commands_and_flags() -> None:
    done = command("help")
    assert done.returncode == 0
    assert all(word in done.stdout for word in ("prepare", "print_named_configs", "--file_storage", "with UPDATE"))
    assert "Arrow tables" in command("help", "prepare").stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("with quickstrt", "quickstrt: there is no such named configuration; did you mean quickstart?"),
        (
            "with batch_size = 3",
            "  * batch_size: is a setting; give it a value: batch_size=...\n  * =: must have the form",
        ),
        ("with batch_size=3 batch_size.x=4", "The command line has a fault after `with`:"),
        ("with", "Nothing follows `with`"),
        ("quickstart", "`with` is missing: python run.py with quickstart"),
        ("batch_size=3", "`with` is missing: python run.py with batch_size=3"),
        ("prepar", "There is no command 'prepar'; did you mean prepare?"),
        ("--nonsense", "This command line is not understood: "),
        ("with run.py", "run.py: a file of settings must end in .json or .yaml or .yml"),
        ("", "loss_names: no task is on"),
        ("print_config with learning_rat=1", "learning_rat: there is no such setting; did you mean learning_rate?"),
        ("prepare", "dataset: say what to prepare"),
        ("with quickstart -m a:b:c", "-m a:b:c: must be [host:port:]database"),
        ("with quickstart -F /dev/null/x", "-F /dev/null/x: this folder cannot be made (Not a directory)"),
        ("with quickstart -s nonsense", "--sql nonsense: "),
        ("with quickstart -C some", "--capture some: must be no, sys or fd"),
        ("with quickstart -l LOUD", "--loglevel LOUD: "),
    ],
)
def test_mistakes_are_one_message_and_status_2(arguments: str, expected: str) -> None:
    done = command(*arguments.split())
    assert done.returncode == 2, done.stderr
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_file_of_settings_is_a_named_configuration(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"batch_size": 3, "max_epoch": 7}))
    done = command("print_config", "with", str(file), "max_epoch=8")
    assert "batch_size = 3 " in done.stdout
    assert "max_epoch = 8 " in done.stdout
    file.write_text('{"batch_size": {"py/object": "os.getcwd"}}')
    assert "holds Python objects" in command("print_config", "with", str(file)).stderr
    file.write_text("{")
    assert "cannot be read as json" in command("print_config", "with", str(file)).stderr


def test_a_good_run_says_nothing_on_standard_error_but_its_progress() -> None:
    done = training("with", "task_mlm", "deit_electra", "max_epoch=None", "batch_size=7")
    assert done.returncode == 0
    chosen, told = done.stdout.splitlines()
    assert chosen == (
        "chosen: batch_size exp_name image_encoder loss_names max_epoch model_type text_encoder warmup_steps"
    )
    assert told == "command: run.py with task_mlm deit_electra max_epoch=None batch_size=7"
    assert all("3/3" in line or "0/3" in line or not line for line in done.stderr.splitlines())


@pytest.mark.parametrize(
    ("action", "status", "expected", "recorded"),
    [
        ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)", 143, "interrupted", "INTERRUPTED"),
        ("os.kill(os.getpid(), signal.SIGINT); time.sleep(9)", 130, "interrupted", "INTERRUPTED"),
        (
            "from renaissance.errors import UserError; raise UserError('no table coco.arrow')",
            2,
            "no table coco.arrow",
            "FAILED",
        ),
        ("raise ValueError('a fault of ours')", 1, "ValueError: a fault of ours", "FAILED"),
    ],
)
def test_how_training_ends(action: str, status: int, expected: str, recorded: str, tmp_path: Path) -> None:
    done = training("with", "quickstart", "-F", str(tmp_path), action=action)
    assert done.returncode == status
    assert done.stderr.splitlines()[-1] == expected
    assert ("Traceback" in done.stderr) == (status == 1)
    assert json.loads((tmp_path / "1" / "run.json").read_text())["status"] == recorded


def test_a_folder_observes(tmp_path: Path) -> None:
    done = training("-F", str(tmp_path), "with", "quickstart", "batch_size=7")
    assert done.returncode == 0, done.stderr
    run = tmp_path / "1"
    record = json.loads((run / "run.json").read_text())
    assert record["status"] == "COMPLETED"
    assert {"run.py", "config.py", "renaissance/errors.py"} <= {name for name, _ in record["experiment"]["sources"]}
    assert json.loads((run / "metrics.json").read_text())["mlm/train/loss"]["values"] == [1.0, 0.5, 1 / 3]
    assert json.loads((run / "config.json").read_text())["batch_size"] == 7
    assert json.loads((run / "info.json").read_text()) == {"final": {"mlm/test/loss": 0.5}}
    captured = (run / "cout.txt").read_text()
    assert "command: run.py" in captured
    assert captured.count("0/3") == 0, "of a progress bar only the last state is kept"
    assert "3/3" in captured


def test_a_database_observes(tmp_path: Path) -> None:
    database = tmp_path / "runs.db"
    assert training("-s", f"sqlite:///{database}", "with", "quickstart").returncode == 0
    with sqlite3.connect(database) as connection:
        assert connection.execute("select status from run").fetchall() == [("COMPLETED",)]


@pytest.mark.parametrize("variable", ["LOCAL_RANK", "RANK", "NODE_RANK"])
def test_only_the_first_process_is_observed(variable: str, tmp_path: Path) -> None:
    flags = ("-F", str(tmp_path / "runs"), "-m", "localhost:9:db")
    done = training("with", "quickstart", *flags, **{variable: "1"})
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_database_of_a_setting_observes_and_one_that_fails_ends_nothing(tmp_path: Path) -> None:
    database = tmp_path / "runs.db"
    for url, remark in ((f"sqlite:///{database}", ""), (f"sqlite:///{tmp_path}/none/runs.db", "warning: sql_url=")):
        done = training("with", "quickstart", f"sql_url={url}")
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("warning:") == bool(remark)
        assert remark in done.stderr
    with sqlite3.connect(database) as connection:
        [(status, info, output)] = connection.execute("select status, info, captured_out from run").fetchall()
    assert status == "COMPLETED"
    assert json.loads(info) == {"final": {"mlm/test/loss": 0.5}}
    assert "command: run.py" in output


def test_a_mongodb_that_is_away_ends_no_run_and_keeps_no_password(tmp_path: Path) -> None:
    """Neither the output nor a folder that observes has the password."""
    given = ("mongo_url=mongodb://me:hunter2@127.0.0.1:1/runs", "mongo_wait=0")
    done = training("-F", str(tmp_path / "seen"), "with", "quickstart", *given)
    assert done.returncode == 0, done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]
    seen = json.loads((tmp_path / "seen" / "1" / "config.json").read_text())
    assert seen["mongo_url"] == "mongodb://127.0.0.1:1/runs"


def test_a_closed_pipe_is_no_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        done = subprocess.run(
            [sys.executable, "run.py", "print_config"], cwd=REPOSITORY, stdout=pipe, stderr=subprocess.PIPE, text=True
        )
    assert "Traceback" not in done.stderr
    assert done.returncode == 141


def test_a_dictionary_whose_keys_are_the_users_own_comes_through() -> None:
    done = training("print_config", "with", "task_mlm", 'load_modules={"image_encoder": "README.md"}')
    assert done.returncode == 0, done.stderr
    assert "README.md" in done.stdout
