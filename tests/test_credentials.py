"""Passwords in addresses: nowhere but in this process's environment."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from renaissance import credentials
from renaissance.credentials import arguments_without_credentials, with_credentials, without_credentials
from renaissance.errors import UserError
from renaissance.run_sets.command_line import CommandLine
from renaissance.tracking.mongo.address import Address
from renaissance.training.joining import own_command_line
from run import _parsed, run_command_line


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    for variable in credentials.VARIABLES.values():
        for name in (variable, f"{variable}_AS_GIVEN"):
            monkeypatch.setenv(name, "")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("mongodb://host:1/db", "mongodb://host:1/db"),
        ("mongodb://me:pw@host:1/db?authSource=admin", "mongodb://host:1/db?authSource=admin"),
        ("mongodb+srv://me:p%40w@a.b,c.d/db", "mongodb+srv://a.b,c.d/db"),
        ("mongodb://me:p@w/x?y@host/db", "mongodb://host/db"),
        ("me:pw@host:1", "host:1"),
        ("mongodb://host/?tlsCertificateKeyFilePassword=pw&tls=true", "mongodb://host/?tls=true"),
        ("mongodb://host/?authMechanismProperties=AWS_SESSION_TOKEN:pw", "mongodb://host/"),
        ("sqlite:///runs.db", "sqlite:///runs.db"),
        ("sqlite:////tmp/x.db?password=pw", "sqlite:////tmp/x.db"),
        ("postgresql://h/db?sslmode=require&sslkey=pw&pass=pw&api_key=pw&user=me", "postgresql://h/db?sslmode=require"),
        ("mssql+pyodbc:///?odbc_connect=SERVER%3Dh%3BPWD%3Dpw", "mssql+pyodbc:///"),
        ("mssql+pyodbc://h/db?driver=a;PWD=pw&timeout=5", "mssql+pyodbc://h/db?timeout=5"),
    ],
)
def test_an_address_is_told_apart_from_its_secrets(given, shown):
    assert without_credentials("mongo_url", given) == shown
    assert with_credentials("mongo_url", shown) == given


def test_the_whole_address_is_the_users_variable_or_the_one_given(monkeypatch):
    monkeypatch.setenv("RENAISSANCE_MONGO_URL", "mongodb://me:pw@host/db")
    assert with_credentials("mongo_url", None) == "mongodb://me:pw@host/db"
    assert with_credentials("mongo_url", "mongodb://host/db") == "mongodb://me:pw@host/db"
    assert with_credentials("mongo_url", "mongodb://other/db") == "mongodb://other/db"
    assert with_credentials("sql_url", None) is None


def test_words_of_a_command_line():
    sql, mongo = "postgresql://me:pw@h/db", "mongodb://me:pw@h/db"
    given = ["run.py", "-s", sql, f"--sql={sql}", f"-s{sql}", "-m", mongo, "with", f"mongo_url='{mongo}'", "query=a@b"]
    assert arguments_without_credentials(given) == [
        "run.py", "-s", "postgresql://h/db", "--sql=postgresql://h/db", "-spostgresql://h/db",
        "-m", "mongodb://h/db", "with", "mongo_url='mongodb://h/db'", "query=a@b",
    ]  # fmt: skip


SQL, MONGO = "sqlite:////tmp/x.db?pin=hunter2", "me:hunter2@host:1:runs"


@pytest.mark.parametrize(
    ("flags", "shown"),
    [
        ([f"--sq={SQL}"], ["--sq=sqlite:////tmp/x.db"]),
        (["-us", SQL], ["-us", "sqlite:////tmp/x.db"]),
        ([f"-us{SQL}"], ["-ussqlite:////tmp/x.db"]),
        ([f"--mongo={MONGO}"], ["--mongo=host:1:runs"]),
        (["-um", MONGO], ["-um", "host:1:runs"]),
        (["-F", "here@work"], ["-F", "here@work"]),
    ],
)
def test_flags_that_are_abbreviated_or_stacked_hand_no_password_on(flags, shown):
    """Neither what is written of a command line nor what the runs of a set are started with."""
    argv = ["run.py", *flags, "with", "quickstart", "raw_root=https://me:hunter2@host/a"]
    parsed = _parsed(argv)
    assert argv == ["run.py", *shown, "with", "quickstart", "raw_root=https://host/a"]
    of_run = CommandLine.of_options("run.py", parsed, parsed["UPDATE"], frozenset()).of_run({"seed": 0})
    assert "hunter2" not in " ".join(of_run)
    if parsed["--sql"]:
        assert with_credentials("sql_url", parsed["--sql"]) == SQL


def test_a_device_is_started_with_the_words_that_hold_no_password(monkeypatch):
    monkeypatch.setattr("sys.orig_argv", ["python", "-X", "utf8", "run.py", "--sq=a://me:hunter2@h", "with", "tiny"])
    monkeypatch.setattr("sys.argv", ["/work/run.py", "--sq=a://h", "with", "tiny"])
    assert own_command_line() == [sys.executable, "-X", "utf8", "run.py", "--sq=a://h", "with", "tiny"]


def test_settings_hold_none(make_settings):
    settings = make_settings(mongo_url="mongodb://me:hunter2@host/db", sql_url="postgresql://me:hunter2@host/db")
    assert (settings.mongo_url, settings.sql_url) == ("mongodb://host/db", "postgresql://host/db")
    with pytest.raises(UserError, match="mongo_url: must be the address of a MongoDB") as refused:
        make_settings(mongo_url="me:hunter2@host")
    assert "hunter2" not in str(refused.value)


def test_messages_hold_none():
    address = Address.of_url(without_credentials("mongo_url", "mongodb://me:hunter2@host:5/db"))
    error = ValueError("mongodb://me:hunter2@host:5 refuses hunter2, full error: {...}")
    assert "hunter2" not in address.reason(error)
    secrets = credentials.secrets_of("sql_url", "postgresql://me:p%40w@h/db?sslmode=require&pin=a%26b&x=true")
    assert set(secrets) == {"me:p%40w", "me:p@w", "p%40w", "p@w", "me", "a%26b", "a&b"}
    assert address.server == "host:5/db"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("with mongo_url=me:hunter2@host:1/runs", "mongo_url: must be the address of a MongoDB"),
        ("with sql_url=me:hunter2@host", "sql_url: must be the address of a database"),
        ("with quickstart -m mongodb://me:hunter2@host/runs", "-m mongodb://host/runs: must be [host:port:]database"),
        (
            "-s sqlite:////no/x.db?pin=hunter2 with quickstart max_steps=1",
            "-s sqlite:////no/x.db: this database cannot",
        ),
        ("sync", "mongo_url: say which MongoDB to send to"),
        ("frobnicate with mongo_url=mongodb://me:hunter2@host", "There is no command 'frobnicate'"),
        ("mongo_url=mongodb://me:hunter2@host", "`with` is missing: python run.py with mongo_url=mongodb://host"),
        ("-x -usme:hunter2@host", "This command line is not understood: run.py -x host"),
        ("with Mongo_url=mongodb://me:hunter2@host", "Mongo_url"),
        ("with -x mongo_url=mongodb://me:hunter2@host", "This command line is not understood"),
        (
            "print_config with {file}",
            "mongo_url: has a password in it, or an option that may be one. Give that on the command line or in RENAI",
        ),
    ],
)
def test_wrong_addresses_are_said_without_their_password(arguments: str, message: str, tmp_path: Path, capsys) -> None:
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"mongo_url": "mongodb://me:hunter2@127.0.0.1:1/runs"}))
    assert run_command_line(["run.py", *arguments.format(file=file).split()]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert "hunter2" not in said.out + said.err
