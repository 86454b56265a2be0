"""Check that a port is free before a server binds it, to fail with a clear message."""

from __future__ import annotations

import errno
import socket

from services.errors import Message, Misconfigured

NOT_A_PORT = Message("misconfigured", "{setting}={port} is not a port number (1 to 65535).")
PORT_UNUSABLE = Message("misconfigured", "{setting}={port} cannot be used on {host}: {reason}.")
PORT_IN_USE = Message(
    "misconfigured",
    "Port {port} is in use by another program; set {setting} to a free port.",
)


def check_free(host: str, port: int, setting: str) -> None:
    """Raise Misconfigured when the port cannot be bound; `setting` is the setting that names it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OverflowError:
            raise Misconfigured(NOT_A_PORT(setting=setting, port=port)) from None
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise port_in_use(port, setting) from None
            reason = PORT_UNUSABLE(setting=setting, port=port, host=host, reason=error.strerror)
            raise Misconfigured(reason) from None


def port_in_use(port: int, setting: str) -> Misconfigured:
    """Return the error for a port that another program has bound."""
    return Misconfigured(PORT_IN_USE(port=port, setting=setting))
