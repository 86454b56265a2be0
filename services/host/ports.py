"""Whether a port is free, asked before a server tries, so that the answer is one sentence."""

from __future__ import annotations

import errno
import socket

from services.errors import Misconfigured


def check_free(host: str, port: int, setting: str) -> None:
    """Raises Misconfigured when nothing can listen there; `setting` is what names the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OverflowError:
            raise Misconfigured(f"{setting}={port} is not a port.") from None
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise taken(port, setting) from None
            raise Misconfigured(
                f"{setting}={port} cannot be used on {host}: {error.strerror}."
            ) from None


def taken(port: int, setting: str) -> Misconfigured:
    return Misconfigured(f"Port {port} is taken by another program: set {setting} to a free one.")
