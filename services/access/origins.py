"""Hosts and origins: the names of this server, as they appear in headers of requests.

Any page in the user's browser can send requests to this server. A page of another site is
recognized by its origin, and one whose name was pointed at this server (DNS rebinding) by the Host
header. The API (`routes/http/guard.py`) and the portal (`ui/server/gate.py`) check both.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import urlsplit

from services.settings import Settings, is_loopback

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_PORT = 65535
HOST_PATTERN = r"(\[[0-9A-Fa-f:.]+\]|[^\s:/?#@\[\]\\]+)(?::([0-9]{1,5}))?"
HOST = re.compile(HOST_PATTERN)
ORIGIN = re.compile(r"(https?)://" + HOST_PATTERN)


class Host(NamedTuple):
    """A Host header. IPv6 addresses are without brackets."""

    name: str
    port: int | None  # None: the default one of the scheme


class Origin(NamedTuple):
    """The scheme, host and port of a page."""

    scheme: str
    name: str
    port: int


def parse_host(header: str) -> Host | None:
    """Return the parts of a Host header, or None if it is malformed."""
    match = HOST.fullmatch(header)
    if not match or (match[2] and int(match[2]) > MAX_PORT):
        return None
    return Host(_bare(match[1]), int(match[2]) if match[2] else None)


def parse_origin(header: str) -> Origin | None:
    """Return the parts of an Origin header; None if it is malformed, or `null`."""
    match = ORIGIN.fullmatch(header)
    if not match or (match[3] and int(match[3]) > MAX_PORT):
        return None
    return Origin(match[1], _bare(match[2]), int(match[3] or DEFAULT_PORTS[match[1]]))


def public_origin(url: str) -> Origin:
    """Return the origin of a public address from the settings."""
    parts = urlsplit(url)
    port = parts.port or DEFAULT_PORTS.get(parts.scheme, 80)
    return Origin(parts.scheme, parts.hostname or "", port)


class PortalOrigins:
    """The hosts at which the portal is reached, and the origins of its own pages.

    The portal is reached at its public address, and at the address and port on which it listens,
    which monitoring and proxies use. A page of another port of the same host is foreign: it may
    belong to another program or user.
    """

    def __init__(self, settings: Settings) -> None:
        self.public = public_origin(settings.public_portal_url)
        name = _bare(settings.host)
        names = set() if _is_wildcard(name) else {name}
        if _is_wildcard(name) or is_loopback(name):
            names |= LOOPBACK_NAMES
        self._listening = {(name, settings.portal_port) for name in names}
        listens_at = ("http", settings.portal_port)
        self._behind_proxy = (self.public.scheme, self.public.port) != listens_at

    def is_own_host(self, header: str) -> bool:
        """Return whether a Host header names the portal. Proxies may omit the public port."""
        host = parse_host(header)
        if host is None:
            return False
        target = (host.name, host.port or DEFAULT_PORTS["http"])
        if target in self._listening:
            return True
        port = host.port or DEFAULT_PORTS.get(self.public.scheme, 80)
        omitted = self._behind_proxy and host.port is None
        return host.name == self.public.name and (omitted or port == self.public.port)

    def is_own_origin(self, header: str, host_header: str) -> bool:
        """Return whether an Origin header is that of a page of the portal.

        Behind a proxy only the public origin is: where the proxy replaces the Host header, a page
        on the loopback address of a user would otherwise have the origin of the portal.
        """
        origin, host = parse_origin(header), parse_host(host_header)
        if origin is None or host is None:
            return False
        if origin == self.public:
            return True
        target = (host.name, host.port or DEFAULT_PORTS["http"])
        return (
            not self._behind_proxy
            and target in self._listening
            and origin == Origin("http", *target)
        )


def _bare(name: str) -> str:
    """Return a host name in lower case, an IPv6 address without its brackets."""
    return name.strip("[]").lower()


def _is_wildcard(name: str) -> bool:
    """Return whether a server that listens on this address listens on all of them."""
    try:
        return ipaddress.ip_address(name).is_unspecified
    except ValueError:
        return False
