"""The address that a server listens at: what people open in a browser, who can reach it, and why it cannot be had."""

from __future__ import annotations

import ipaddress
import socket

from renaissance.errors import UserError


def address_of(host: str, port: int) -> str:
    """The address to open in a browser on this machine, of a server that listens at a numeric host."""
    if ipaddress.ip_address(host).is_unspecified:
        host = "localhost"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def is_private(host: str) -> bool:
    """Whether only this machine can reach a server that listens at a numeric host."""
    return ipaddress.ip_address(host).is_loopback


def cannot_listen(error: Exception, host: str, port: int, *, settings: str, advice: str) -> UserError:
    """What to say of an address that cannot be listened at.

    Args:
        error: what the system said.
        host: the address.
        port: its port.
        settings: what the names of the settings of both begin with, such as "dashboard_".
        advice: what may be there already, and what to do; it goes on with "another port".
    """
    reason = getattr(error, "strerror", None) or error
    if isinstance(error, socket.gaierror | UnicodeError):
        return UserError(f"{settings}host={host!r}: is no address or name of this machine ({reason})")
    return UserError(
        f"{settings}port={port}: cannot listen at {host} port {port} ({reason}). {advice} another port, such as "
        f"{settings}port=0 for one that is free."
    )
