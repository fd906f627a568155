"""Passwords in addresses: nowhere but in this process's environment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from renaissance import credentials
from renaissance.credentials import arguments_without_credentials, with_credentials, without_credentials
from renaissance.errors import UserError
from renaissance.tracking.mongo.address import Address
from run import run_command_line


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
    assert address.server == "host:5/db"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("with mongo_url=me:hunter2@host:1/runs", "mongo_url: must be the address of a MongoDB"),
        ("with sql_url=me:hunter2@host", "sql_url: must be the address of a database"),
        ("with quickstart -m mongodb://me:hunter2@host/runs", "-m mongodb://host/runs: must be [host:port:]database"),
        ("sync", "mongo_url: say which MongoDB to send to"),
        ("frobnicate with mongo_url=mongodb://me:hunter2@host", "There is no command 'frobnicate'"),
        ("with -x mongo_url=mongodb://me:hunter2@host", "This command line is not understood"),
        (
            "print_config with {file}",
            "mongo_url: has a password in it. Give that on the command line or in RENAI",
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
