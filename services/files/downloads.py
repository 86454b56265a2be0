"""Downloads from hosts that the operators allow, and from nowhere else.

Whoever may name an address could otherwise have the desk ask inside its own network. So each
address, each redirect included, must name an allowed host and port in one plain spelling, and what
is connected to must be public, whatever the name stands for by then. Proxies of the environment are
not used: behind one it would not be known who answers.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urljoin

from services.errors import Invalid

CONNECT = 10.0  # s
SILENCE = 30.0  # s without a byte
HEAD = 30.0  # s until the headers of a reply are there
HOPS = 6  # requests, with redirects
LONGEST = 4000  # characters of an address
PORTS = {"http": 80, "https": 443}
MOVED = frozenset({301, 302, 303, 307, 308})
#: One spelling, read the same by everybody: no user, no percent signs or brackets in the host.
ADDRESS = re.compile(
    r"(https?)://([a-z0-9.-]{1,253})(?::([0-9]{1,5}))?([/?][!-~]*)?", re.IGNORECASE
)
#: IPv6 networks whose addresses stand for IPv4 ones, which a gateway may reach: NAT64 (RFC 6052,
#: 8215), 6to4 (RFC 3056), Teredo (RFC 4380), IPv4-compatible (RFC 4291). And the 6to4 relays.
GATEWAYS = [
    ipaddress.ip_network(text)
    for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")
] + [ipaddress.ip_network("192.88.99.0/24")]

Resolve = Callable[..., Sequence[tuple[Any, ...]]]  # socket.getaddrinfo


def public(address: str) -> bool:
    """Whether an IP address is one of the public internet."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    inside = any(ip in network for network in GATEWAYS if network.version == ip.version)
    return ip.is_global and not ip.is_multicast and not inside


@dataclass(frozen=True)
class Target:
    """An address that may be asked, taken apart."""

    scheme: str
    host: str
    port: int
    path: str  # with the query

    @property
    def url(self) -> str:
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}{self.path}"

    @property
    def name(self) -> str:
        """The last part of the path, for people; may be empty."""
        return unquote(self.path.partition("?")[0].rpartition("/")[2])


class Download(io.RawIOBase):
    """What a host sends. Reading raises Invalid when it stops before its end, or takes too long."""

    def __init__(self, reply: http.client.HTTPResponse, host: str, end: float) -> None:
        self.size = reply.length  # bytes, or None: it is not said, yet the end is marked
        self._reply, self._host, self._end = reply, host, end
        self._read = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """What has arrived, `size` bytes at most; nothing at the end only."""
        with _told(self._host, self._end):
            block = self._reply.read1(size)
        self._read += len(block)
        if not block and self.size is not None and self._read < self.size:
            raise _failed(f"{self._host} sent {self._read} of {self.size} bytes.", self._end)
        return block


@dataclass(frozen=True)
class Fetcher:
    """Fetches from `hosts`, written as in RUNDESK_IMPORT_HOSTS.

    `trusted` says which IP addresses may be connected to; only tests let it say yes to others than
    public ones.
    """

    hosts: tuple[str, ...]
    trusted: Callable[[str], bool] = public
    resolve: Resolve = socket.getaddrinfo

    def target(self, url: str) -> Target:
        """An address that may be asked. Raises Invalid for any other; asks nobody."""
        match = ADDRESS.fullmatch(url.partition("#")[0]) if len(url) <= LONGEST else None
        if match is None or "\\" in url:
            raise Invalid(
                "This is no address of a file.",
                field="url",
                hint="Send http:// or https://, a host's name, and a path without spaces.",
            )
        scheme, host = match[1].lower(), match[2].lower().removesuffix(".")
        path = match[4] or "/"
        found = Target(
            scheme,
            host,
            int(match[3] or PORTS[scheme]),
            path if path.startswith("/") else f"/{path}",
        )
        if not any(_matches(entry, found) for entry in self.hosts):
            allowed = ", ".join(self.hosts)
            raise Invalid(
                f"Nothing is fetched from {host}, port {found.port}.",
                field="url",
                hint=f"Allowed here: {allowed}." if allowed else "This desk fetches from no host.",
            )
        return found

    @contextlib.contextmanager
    def open(self, url: str, *, seconds: float) -> Iterator[Download]:
        """What an address holds, redirects followed; all of it within `seconds`. Raises Invalid."""
        end = time.monotonic() + seconds
        target = self.target(url)
        for _ in range(HOPS):
            with contextlib.ExitStack() as held:
                with _told(target.host, end):
                    reply = self._ask(target, end, held)
                if reply.status in MOVED and (place := reply.headers["Location"]):
                    target = self._next(target, place)
                    continue
                _check(reply, target, end)
                yield Download(reply, target.host, end)
                return
        raise Invalid(f"{target.host} leads on and on.", field="url")

    def _next(self, target: Target, place: str) -> Target:
        """Where a redirect leads to."""
        plain = quote(place, safe="%/:=&?~#+!$,;'@()*[]\\", encoding="latin-1", errors="replace")
        found = self.target(urljoin(target.url, plain))
        if (target.scheme, found.scheme) == ("https", "http"):
            raise Invalid(f"{target.host} leads on to a connection without TLS.", field="url")
        return found

    def _ask(
        self, target: Target, end: float, held: contextlib.ExitStack
    ) -> http.client.HTTPResponse:
        """The reply of a host, its body still to come; `held` closes all."""
        sock = held.enter_context(contextlib.closing(self._connect(target)))
        with _cut_off(sock, min(end, time.monotonic() + HEAD)):
            connection = http.client.HTTPConnection(target.host, target.port)
            connection.default_port = PORTS[target.scheme]  # which the Host header leaves out
            if isinstance(sock, ssl.SSLSocket):
                sock.do_handshake()
            connection.sock = sock
            headers = {
                "Accept-Encoding": "identity",
                "User-Agent": "rundesk",
                "Connection": "close",
            }
            connection.request("GET", target.path, headers=headers)
            reply = held.enter_context(contextlib.closing(connection.getresponse()))
        held.enter_context(_cut_off(sock, end))
        return reply

    def _connect(self, target: Target) -> socket.socket:
        """A connection to the first address of a host that answers, if all of them may be asked."""
        known = self.resolve(target.host, target.port, type=socket.SOCK_STREAM)
        addresses = [str(one[4][0]) for one in known]
        self._check_peers(target, addresses)
        trouble: OSError = OSError("no address")
        for address in addresses:
            try:
                # an IP address, not the name: that may stand for another one by now
                sock = socket.create_connection((address, target.port), timeout=CONNECT)
            except OSError as error:
                trouble = error
                continue
            try:
                self._check_peers(target, [str(sock.getpeername()[0])])
                sock.settimeout(SILENCE)
                if target.scheme == "http":
                    return sock
                context = ssl.create_default_context()
                return context.wrap_socket(
                    sock, server_hostname=target.host, do_handshake_on_connect=False
                )
            except BaseException:
                sock.close()
                raise
        raise trouble

    def _check_peers(self, target: Target, addresses: Sequence[str]) -> None:
        if not all(self.trusted(address) for address in addresses):
            raise Invalid(f"{target.host} is not on the public internet.", field="url")


def _matches(entry: str, target: Target) -> bool:
    name, _, port = entry.partition(":")
    if int(port or PORTS[target.scheme]) != target.port:
        return False
    if name.startswith("*."):
        return target.host.endswith(name[1:])
    return target.host == name


def _check(reply: http.client.HTTPResponse, target: Target, end: float) -> None:
    """Whether this reply holds a file whose end can be told from a cut connection."""
    if reply.status != 200:
        raise Invalid(
            f"{target.host} answered {reply.status} {reply.reason}".strip()[:200] + ".",
            field="url",
            hint="The address must lead to the file itself, without signing in.",
        )
    if reply.length is None and not reply.chunked:
        raise _failed(f"{target.host} does not say how long the file is.", end)


@contextlib.contextmanager
def _cut_off(sock: socket.socket, end: float) -> Iterator[None]:
    """A host that sends a byte now and then holds nobody longer than until `end`."""

    def cut() -> None:
        with contextlib.suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)  # below TLS, which another thread uses

    timer = threading.Timer(max(0.0, end - time.monotonic()), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextlib.contextmanager
def _told(host: str, end: float) -> Iterator[None]:
    """Whatever goes wrong on the way, in words."""
    try:
        yield
    except socket.gaierror as error:
        raise Invalid(
            f"There is no host {host}, or its name cannot be looked up.", field="url"
        ) from error
    except ssl.SSLCertVerificationError as error:
        raise Invalid(f"The certificate of {host} does not count.", field="url") from error
    except TimeoutError as error:
        raise _failed(f"{host} did not answer in time.", end) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _failed(f"The connection to {host} broke.", end) from error


def _failed(message: str, end: float) -> Invalid:
    if time.monotonic() >= end:
        message = "It took too long."
    return Invalid(message, field="url", hint="Try again, or download it yourself and upload it.")
