"""`sync`: what runs keep for a MongoDB, sent there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from renaissance.commands.declaration import CommandDeclaration
from renaissance.credentials import VARIABLES, with_credentials
from renaissance.settings.rules.named_runs import folders_to_look_in

if TYPE_CHECKING:
    from renaissance.settings.schema import Settings


def _a_server(settings: Settings) -> Iterator[str]:
    if settings.mongo_url is None and with_credentials("mongo_url", None) is None:
        yield (
            "mongo_url: say which MongoDB to send to, such as mongo_url=mongodb://localhost:27017/renaissance, here or "
            f"in {VARIABLES['mongo_url']}"
        )


COMMAND = CommandDeclaration(
    name="sync",
    meaning="Send what runs keep for a MongoDB that was away: with mongo_url=<address>, and runs=... for some alone.",
    work="renaissance.tracking.mongo.syncing:sync_runs",
    needs=(_a_server, folders_to_look_in),
    builds_a_model=False,
)
