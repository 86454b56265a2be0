"""Downloads from the hosts that the operators allow.

A user who can name any URL could make the server send requests inside its own network. Therefore
every URL, including those of redirects, must name an allowed host and port in one plain spelling,
and the IP address that is connected to must be public, whatever the name resolves to by then. It
may be private only if the operators list the host itself, not just a wildcard, and the address too.
Proxies of the environment are not used: behind one, the address of the peer is unknown.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urljoin

from services.errors import Invalid, Message, Text
from services.files import download_names
from services.settings import Network

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 30.0  # without a byte
HEADERS_TIMEOUT_S = 30.0  # until the headers of a reply are complete
MAX_REQUESTS = 6  # of one download, including redirects
MAX_URL_LENGTH = 4000  # characters
DEFAULT_PORTS = {"http": 80, "https": 443}
REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
#: One spelling that every parser reads alike: no user, percent signs or brackets in the host.
URL = re.compile(r"(https?)://([a-z0-9._-]{1,253})(?::([0-9]{1,5}))?([/?][!-~]*)?", re.IGNORECASE)
#: IPv6 networks whose addresses stand for IPv4 ones, which a gateway may reach: NAT64 (RFC 6052,
#: 8215), 6to4 (RFC 3056), Teredo (RFC 4380), IPv4-compatible (RFC 4291). And the 6to4 relays.
GATEWAYS = [
    ipaddress.ip_network(text)
    for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")
] + [ipaddress.ip_network("192.88.99.0/24")]

INVALID_URL = Message(
    "wrong_format",
    "Invalid URL.",
    hint="Send an http:// or https:// URL with a host name and a path without spaces.",
)
HOST_NOT_ALLOWED = Message(
    "host_not_allowed",
    "Imports from {host}, port {port}, are not allowed.",
    hint="Allowed hosts: {allowed}.",
)
NO_HOST_ALLOWED = Message(
    "host_not_allowed",
    "Imports from {host}, port {port}, are not allowed.",
    hint="No hosts are allowed on this server (RUNDESK_IMPORT_HOSTS is empty).",
)
HOST_NOT_PUBLIC = Message(
    "host_not_allowed",
    "{host} is not on the public internet.",
    hint="The operators can allow private addresses of hosts that they list by name"
    " (RUNDESK_IMPORT_PRIVATE).",
)
TLS_REQUIRED = Message(
    "host_not_allowed",
    "Downloads from {host} require https://.",
    hint="The operators set secret headers for this host, which must not be sent unencrypted.",
)
TOO_MANY_REDIRECTS = Message("download_failed", "Too many redirects from {host}.")
INSECURE_REDIRECT = Message("download_failed", "{host} redirects to a connection without TLS.")
CERTIFICATE_INVALID = Message(
    "download_failed", "The TLS certificate of {host} could not be verified."
)
HOST_UNKNOWN = Message("download_failed", "The host name {host} could not be resolved.")
NOT_DOWNLOADED = Message(
    "download_failed",
    "{host} responded with status {status}.",
    hint="The URL must point to the file itself and must not require sign-in.",
)
RETRY = "Try again, or download the file yourself and upload it."
LENGTH_UNKNOWN = Message(
    "download_failed", "{host} does not send the length of the file.", hint=RETRY
)
CUT_SHORT = Message("download_failed", "{host} sent only {received} of {size} bytes.", hint=RETRY)
NO_RESPONSE = Message("download_failed", "{host} did not respond in time.", hint=RETRY)
CONNECTION_FAILED = Message("download_failed", "The connection to {host} failed.", hint=RETRY)
TOO_SLOW = Message("download_failed", "The download took too long.", hint=RETRY)

Resolve = Callable[..., Sequence[tuple[Any, ...]]]  # socket.getaddrinfo


def public(address: str) -> bool:
    """Whether an IP address belongs to the public internet."""
    ip = _parsed(address)
    return ip.is_global and not ip.is_multicast and not _is_in(ip, GATEWAYS)


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return an address as it is connected to: the IPv4 address that an IPv6 one is mapped to."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    return getattr(ip, "ipv4_mapped", None) or ip


def _is_in(ip: ipaddress.IPv4Address | ipaddress.IPv6Address, networks: Sequence[Network]) -> bool:
    return any(ip in network for network in networks if network.version == ip.version)


@dataclass(frozen=True)
class Target:
    """The parts of a URL that may be downloaded."""

    scheme: str
    host: str
    port: int
    path: str  # with the query

    @property
    def url(self) -> str:
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}{self.path}"

    @property
    def name(self) -> str:
        """The name of the file in the query or the path, decoded; may be empty."""
        return download_names.from_url(self.path)


class Download(io.RawIOBase):
    """The body of a response. Reading raises Invalid when it ends too early or takes too long."""

    def __init__(
        self, reply: http.client.HTTPResponse, host: str, end: float, name: str = ""
    ) -> None:
        self.size = reply.length  # bytes; None for a chunked body
        disposition = reply.headers["Content-Disposition"] or ""
        self.name = download_names.from_disposition(disposition) or name  # may be empty
        self._reply, self._host, self._end = reply, host, end
        self._read = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Return what has arrived, at most `size` bytes; nothing only at the end."""
        with _as_invalid(self._host, self._end):
            block = self._reply.read1(size)
        self._read += len(block)
        if not block and self.size is not None and self._read < self.size:
            text = CUT_SHORT(host=self._host, received=self._read, size=self.size)
            raise _failed(text, self._end)
        return block


@dataclass(frozen=True)
class Fetcher:
    """Downloads from `hosts`, written as in RUNDESK_IMPORT_HOSTS.

    `private` are the networks in which hosts that are listed without a wildcard may be. `headers`
    are secret, by entry of `hosts`: each host gets its own ones only. `trusted` returns whether an
    IP address may be connected to; only tests allow others than public ones.
    """

    hosts: tuple[str, ...]
    private: tuple[Network, ...] = ()
    headers: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    trusted: Callable[[str], bool] = public
    resolve: Resolve = socket.getaddrinfo

    def target(self, url: str) -> Target:
        """Parse a URL. Raises Invalid unless its host and port are allowed; sends no request.

        Characters beyond ASCII in path and query are encoded, as browsers do it.
        """
        encoded = _encoded(url.partition("#")[0]) if len(url) <= MAX_URL_LENGTH else ""
        match = URL.fullmatch(encoded) if len(encoded) <= MAX_URL_LENGTH else None
        if match is None or "\\" in url:
            raise Invalid(INVALID_URL(), field="url")
        scheme, host = match[1].lower(), match[2].lower().removesuffix(".")
        path = match[4] or "/"
        target = Target(
            scheme,
            host,
            int(match[3] or DEFAULT_PORTS[scheme]),
            path if path.startswith("/") else f"/{path}",
        )
        if not any(_matches(entry, target) for entry in self.hosts):
            message = HOST_NOT_ALLOWED if self.hosts else NO_HOST_ALLOWED
            text = message(host=host, port=target.port, allowed=", ".join(self.hosts))
            raise Invalid(text, field="url")
        return target

    @contextlib.contextmanager
    def open(self, url: str, *, seconds: float) -> Iterator[Download]:
        """Download a URL, following redirects, all of it within `seconds`. Raises Invalid."""
        end = time.monotonic() + seconds
        target = self.target(url)
        name = target.name
        for _ in range(MAX_REQUESTS):
            with contextlib.ExitStack() as held:
                with _as_invalid(target.host, end):
                    reply = self._ask(target, end, held)
                if reply.status in REDIRECT_STATUSES and (location := reply.headers["Location"]):
                    target = self._next(target, location)
                    continue
                _check(reply, target, end)
                yield Download(reply, target.host, end, name or target.name)
                return
        raise Invalid(TOO_MANY_REDIRECTS(host=target.host), field="url")

    def _next(self, target: Target, location: str) -> Target:
        """The target of a redirect."""
        safe = "%/:=&?~#+!$,;'@()*[]\\"
        plain = quote(location, safe=safe, encoding="latin-1", errors="replace")
        following = self.target(urljoin(target.url, plain))
        if (target.scheme, following.scheme) == ("https", "http"):
            raise Invalid(INSECURE_REDIRECT(host=target.host), field="url")
        return following

    def _ask(
        self, target: Target, end: float, held: contextlib.ExitStack
    ) -> http.client.HTTPResponse:
        """Send the request and return the response without its body; `held` closes everything."""
        sock = held.enter_context(contextlib.closing(self._connect(target)))
        with _cut_off(sock, min(end, time.monotonic() + HEADERS_TIMEOUT_S)):
            connection = http.client.HTTPConnection(target.host, target.port)
            # the Host header leaves the default port out
            connection.default_port = DEFAULT_PORTS[target.scheme]
            if isinstance(sock, ssl.SSLSocket):
                sock.do_handshake()
            connection.sock = sock
            headers = {
                **self._own_headers(target, str(sock.getpeername()[0])),
                "Accept-Encoding": "identity",
                "User-Agent": "rundesk",
                "Connection": "close",
            }
            connection.request("GET", target.path, headers=headers)
            reply = held.enter_context(contextlib.closing(connection.getresponse()))
        held.enter_context(_cut_off(sock, end))
        return reply

    def _connect(self, target: Target) -> socket.socket:
        """Connect to the first address of a host that accepts, if all its addresses are trusted."""
        known = self.resolve(target.host, target.port, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]) for entry in known]
        self._check_peers(target, addresses)
        failure: OSError = OSError("no address")
        for address in addresses:
            try:
                # the IP address that was checked: the name may resolve to another one by now
                sock = socket.create_connection((address, target.port), timeout=CONNECT_TIMEOUT_S)
            except OSError as error:
                failure = error
                continue
            try:
                self._check_peers(target, [str(sock.getpeername()[0])])
                sock.settimeout(READ_TIMEOUT_S)
                if target.scheme == "http":
                    return sock
                context = ssl.create_default_context()
                return context.wrap_socket(
                    sock, server_hostname=target.host, do_handshake_on_connect=False
                )
            except BaseException:
                sock.close()
                raise
        raise failure

    def _check_peers(self, target: Target, addresses: Sequence[str]) -> None:
        if not all(self._may_connect(target, address) for address in addresses):
            raise Invalid(HOST_NOT_PUBLIC(host=target.host), field="url")

    def _may_connect(self, target: Target, address: str) -> bool:
        """Return whether an address of a host is public, or private and listed like the host.

        A wildcard is not enough: the owner of a name below it could point it at any private host.
        """
        if self.trusted(address):
            return True
        names = [entry for entry in self.hosts if not entry.startswith("*")]
        listed = any(_matches(entry, target) for entry in names)
        return listed and _is_in(_parsed(address), self.private)

    def _own_headers(self, target: Target, peer: str) -> dict[str, str]:
        """Return the headers that the operators set for a host.

        Raises Invalid if anyone on the way could read them: without TLS and beyond the networks
        that the operators listed.
        """
        headers = {
            name: value
            for entry, values in self.headers.items()
            if _matches(entry, target)
            for name, value in values.items()
        }
        if headers and target.scheme == "http" and not _is_in(_parsed(peer), self.private):
            raise Invalid(TLS_REQUIRED(host=target.host), field="url")
        return headers


def _encoded(url: str) -> str:
    """Return a URL with its characters beyond ASCII as escapes of UTF-8; "" for surrogates."""
    try:
        return "".join(letter if letter.isascii() else quote(letter) for letter in url)
    except UnicodeEncodeError:
        return ""


def _matches(entry: str, target: Target) -> bool:
    name, _, port = entry.partition(":")
    if int(port or DEFAULT_PORTS[target.scheme]) != target.port:
        return False
    if name.startswith("*."):
        return target.host.endswith(name[1:])
    return target.host == name


def _check(reply: http.client.HTTPResponse, target: Target, end: float) -> None:
    """Raise Invalid unless a response contains a file whose end differs from a lost connection."""
    if reply.status != 200:
        status = f"{reply.status} {reply.reason}".strip()[:200]
        raise Invalid(NOT_DOWNLOADED(host=target.host, status=status), field="url")
    if reply.length is None and not reply.chunked:
        raise _failed(LENGTH_UNKNOWN(host=target.host), end)


@contextlib.contextmanager
def _cut_off(sock: socket.socket, end: float) -> Iterator[None]:
    """Close the connection at `end`, even if the host still sends a byte now and then."""

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
def _as_invalid(host: str, end: float) -> Iterator[None]:
    """Raise Invalid for every error of the connection."""
    try:
        yield
    except socket.gaierror as error:
        raise Invalid(HOST_UNKNOWN(host=host), field="url") from error
    except ssl.SSLCertVerificationError as error:
        raise Invalid(CERTIFICATE_INVALID(host=host), field="url") from error
    except TimeoutError as error:
        raise _failed(NO_RESPONSE(host=host), end) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _failed(CONNECTION_FAILED(host=host), end) from error


def _failed(text: Text, end: float) -> Invalid:
    return Invalid(TOO_SLOW() if time.monotonic() >= end else text, field="url")
