"""Whether a request calls this machine by a name of its own: a page of another site that has made its own name point
here (DNS rebinding) does not.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from contextlib import suppress

HOST = re.compile(r"(?:\[(?P<six>[0-9a-f:.]+)\]|(?P<name>[\w.-]+))(?::\d{1,5})?", re.ASCII | re.IGNORECASE)


def names_this_machine(header: str | None, names: Collection[str], private: bool) -> bool:
    """Whether a request's Host names this machine: by a number, or by a name that is this machine's own.

    Of a server that no other machine can reach the number is a loopback address. Of another one it may be any: behind
    a forwarded port it is not the server's, and no site can make a number point elsewhere.

    Args:
        header: the Host; None where there was none.
        names: of this machine, in lower case.
        private: whether no other machine can reach the server.
    """
    found = HOST.fullmatch(header or "")
    if not found:
        return False
    name = (found["six"] or found["name"]).lower()
    with suppress(ValueError):
        return ipaddress.ip_address(name).is_loopback or not private
    return name in names
