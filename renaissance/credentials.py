"""Addresses of databases without the names and passwords in them, which are kept in this process's environment alone.

A setting such as `mongo_url` may hold a name and a password. Settings are written down in many places: the run's
folder, checkpoints, other trackers, messages. So the address is told apart from what is secret in it at the first
touch, on the command line and in the setting's type; whoever connects asks for the whole with `with_credentials`. The
environment is where a process that this one starts finds it, too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote, unquote_plus

VARIABLES = {"mongo_url": "RENAISSANCE_MONGO_URL", "sql_url": "RENAISSANCE_SQL_URL"}  # where a user can set them
SECRETS = {"serve_token": "RENAISSANCE_SERVE_TOKEN"}  # settings that are secret as a whole
HIDDEN = "(not shown)"  # what stands in their place
FLAGS = {"--mongo_db": "mongo_url", "--sql": "sql_url"}  # of Sacred, by the names that a parsed command line has
# The options of MongoDB and of SQL drivers that hold no secret. All others are taken for secret: the drivers' names for
# passwords and keys are too many to list.
SHOWN_OPTIONS = frozenset(
    "appname application_name authmechanism authsource cache charset client_encoding compressors connect_timeout "
    "connecttimeoutms directconnection driver journal loadbalanced maxidletimems maxpoolsize minpoolsize mode "
    "readconcernlevel readpreference replicaset retryreads retrywrites serverselectiontimeoutms sockettimeoutms ssl "
    "sslmode timeout tls tlsallowinvalidcertificates tlsallowinvalidhostnames tlscafile tlsinsecure uri w "
    "waitqueuetimeoutms wtimeoutms".split()
)
_SHOWN_VALUE = re.compile(r"[\w.,:/+-]*")  # nothing that is encoded, and no list of further options
_NAMED_AND_SECRET = re.compile(r"(\w://)[^/\s@]*:[^/\s]*@")  # a name and a password before any address
_SETTING = re.compile(r"\s*[A-Za-z_][\w.]*\s*=")


def stripped(address: str) -> str:
    """An address, or what a message quotes of one, as `without_credentials` shows it; nothing is kept."""
    shown = re.sub(r"^([^/@]*?\w://)?.*@", lambda match: match[1] or "", address, flags=re.DOTALL)
    place, mark, options = shown.partition("?")
    kept = [option for option in options.split("&") if _is_shown(option)]
    return f"{place}?{'&'.join(kept)}" if mark and kept else place


def without_credentials(setting: str, address: str) -> str:
    r"""An address without its name, its password and the options that may be secret; this process keeps the whole.

    Everything up to the last @ is taken for secret, also where it is written wrongly, and every option that
    `SHOWN_OPTIONS` does not name.

    Args:
        setting: whose it is, a key of `VARIABLES`.
        address: such as "mongodb://name:password@host:27017/database".
    """
    shown = stripped(address)
    if shown != address:
        os.environ[_kept_in(setting)] = address
    return shown


def with_credentials(setting: str, address: str | None) -> str | None:
    """The whole address: as it was given to this process, or as the user's environment variable has it.

    Args:
        setting: whose it is, a key of `VARIABLES`.
        address: as `without_credentials` gave it; None for that of the environment variable, if there is one.
    """
    of_user = os.environ.get(VARIABLES[setting]) or None
    if address is None:
        return of_user
    for whole in (os.environ.get(_kept_in(setting)), of_user):
        if whole and without_credentials(setting, whole) == address:
            return whole
    return address


def hidden_secret(setting: str, value: str) -> str:
    """What stands for a secret setting wherever settings are written down; this process keeps the value.

    Args:
        setting: whose it is, a key of `SECRETS`.
        value: as it was given, or what already stands for it.
    """
    if value != HIDDEN:
        os.environ[f"{SECRETS[setting]}_AS_GIVEN"] = value
    return HIDDEN


def secret(setting: str, value: str | None) -> str | None:
    """The secret: as it was given to this process, or as the user's environment variable has it; None without one.

    Args:
        setting: whose it is, a key of `SECRETS`.
        value: as `hidden_secret` gave it; None for that of the environment variable, if there is one.
    """
    given = os.environ.get(f"{SECRETS[setting]}_AS_GIVEN") if value is not None else None
    return given or os.environ.get(SECRETS[setting]) or None


def flags_without_credentials(flags: Mapping[str, Any]) -> dict[str, Any]:
    """What was parsed of a command line, without what is secret in its addresses.

    Args:
        flags: by the long names of the flags; "UPDATE" has what follows `with`.
    """
    command = flags["COMMAND"]  # which may be a setting, where `with` was forgotten
    hidden = {**flags, "COMMAND": command and arguments_without_credentials([command], flags)[0]}
    for flag, setting in FLAGS.items():
        if flags[flag]:
            hidden[flag] = without_credentials(setting, flags[flag])
    return {**hidden, "UPDATE": arguments_without_credentials(flags["UPDATE"], flags)}


def arguments_without_credentials(arguments: Sequence[str], flags: Mapping[str, Any] | None = None) -> list[str]:
    """The words of a command line, without what is secret in settings and flags that take an address.

    Args:
        arguments: the words.
        flags: as they were parsed, which tells the addresses however a flag was abbreviated; None where the words were
            not understood, so that any word may be part of a flag.
    """
    addresses = {flags[flag]: setting for flag, setting in FLAGS.items() if flags[flag]} if flags else {}
    hidden: list[str] = []
    for number, word in enumerate(arguments):
        before = arguments[number - 1] if number else ""
        name, equals, value = word.partition("=")
        if equals and name.strip() in VARIABLES:
            quote = value[0] if value[:1] in ("'", '"') and value[-1:] == value[0] else ""
            inner = value[1:-1] if quote else value
            hidden.append(f"{name}={quote}{without_credentials(name.strip(), inner)}{quote}")
            continue
        if equals and name.strip() in SECRETS:
            unquoted = value[1:-1] if value[:1] in ("'", '"') and value[-1:] == value[0] else value
            hidden.append(f"{name}={hidden_secret(name.strip(), unquoted) if unquoted else value}")
            continue
        for address, setting in addresses.items():
            if word.endswith(address):
                word = word.removesuffix(address) + without_credentials(setting, address)
        if flags is None and (word.startswith("-") or before.startswith("-")) and not _SETTING.match(word):
            word = re.sub(
                r"^(--?\w+=)?(.*)$", lambda match: (match[1] or "") + stripped(match[2]), word, flags=re.DOTALL
            )
        hidden.append(_NAMED_AND_SECRET.sub(r"\1", word))
    return hidden


def secrets_of(setting: str, address: str) -> list[str]:
    """What a message about an address must not hold: the name, the password and secret options in it, longest first."""
    authority = re.match(r"^(?:[^/@]*?\w://)?(.*)@", address, flags=re.DOTALL)
    parts = [authority[1], *authority[1].split(":", 1)] if authority else []
    options = address[authority.end() if authority else 0 :].partition("?")[2].split("&")
    parts += [option.partition("=")[2] for option in options if not _is_shown(option)]
    plain = {form for part in parts for form in (part, unquote(part), unquote_plus(part))}
    return sorted(plain - {"", "true", "false"}, key=len, reverse=True)


def _is_shown(option: str) -> bool:
    name, equals, value = option.partition("=")
    return bool(equals) and name.lower() in SHOWN_OPTIONS and bool(_SHOWN_VALUE.fullmatch(value))


def _kept_in(setting: str) -> str:
    return f"{VARIABLES[setting]}_AS_GIVEN"
