"""Downloads: allowed hosts only, and only what is public when it is connected to."""

from __future__ import annotations

import threading

import pytest

from services.errors import Invalid
from services.files.downloads import MAX_REQUESTS, Fetcher, public
from tests.helpers import web_host
from tests.helpers.web_host import send

ALLOWED = Fetcher(("files.example.org", "*.below.example", "odd.example:8443"))


@pytest.fixture(scope="module")
def host():
    with web_host.serving() as found:
        yield found


def fetched(fetcher, url, seconds=10.0):
    with fetcher.open(url, seconds=seconds) as download:
        return b"".join(iter(lambda: download.read(1000), b""))


def message(fetcher, url, seconds=10.0):
    with pytest.raises(Invalid) as caught:
        fetched(fetcher, url, seconds)
    assert caught.value.field == "url"
    return caught.value.message


@pytest.mark.parametrize(
    ("url", "asked", "name"),
    [
        (
            "https://files.example.org/a/b%20c.fq?x=1#top",
            "https://files.example.org/a/b%20c.fq?x=1",
            "b c.fq",
        ),
        ("HTTP://Files.Example.ORG./a", "http://files.example.org/a", "a"),
        ("http://files.example.org", "http://files.example.org/", ""),
        ("https://a.b.below.example?id=1", "https://a.b.below.example/?id=1", ""),
        ("https://odd.example:8443/a", "https://odd.example:8443/a", "a"),
    ],
)
def test_allowed_address_is_taken_apart(url, asked, name):
    target = ALLOWED.target(url)
    assert (target.url, target.name) == (asked, name)


@pytest.mark.parametrize(
    "url",
    [
        "https://other.example.org/a",
        "https://files.example.org.evil.example/a",
        "https://xfiles.example.org/a",
        "https://below.example/a",  # what is below it is allowed, not it
        "https://evilbelow.example/a",
        "https://files.example.org:8443/a",
        "https://files.example.org:22/a",
        "https://files.example.org:99999999/a",
        "https://odd.example/a",
        "http://files.example.org@127.0.0.1/a",
        "http://127.0.0.1#@files.example.org/a",
        "http://127.0.0.1\\@files.example.org/a",
        "http://files.example.org\\.evil.example/a",
        "http://files%2eexample.org/a",
        "http://ﬁles.example.org/a",
        "http://files.example.org/a b",
        "http://files.example.org/a\r\nHost: x",
        "http://files.example.org/a\0",
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http:///files.example.org/a",
        "http:files.example.org/a",
        "//files.example.org/a",
        "ftp://files.example.org/a",
        "file:///etc/passwd",
        "gopher://files.example.org/",
        "https://files.example.org/" + "a" * 4000,
        "",
    ],
)
def test_other_address_is_refused_before_any_request(url):
    def resolve(*_, **__):
        raise AssertionError("looked up")

    with pytest.raises(Invalid):
        Fetcher(ALLOWED.hosts, resolve=resolve).target(url)


def test_target_without_allowed_hosts_is_refused():
    with pytest.raises(Invalid, match="port 443, are not allowed"):
        Fetcher(()).target("https://files.example.org/a")


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
def test_public_address_is_public(address):
    assert public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.3.4",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "192.88.99.1",
        "::",
        "::1",
        "::7f00:1",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::5db8:d822",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
    ],
)
def test_other_address_is_not_public(address):
    assert not public(address)


def test_file_is_fetched_whole_and_with_its_size(host):
    content = bytes(range(256)) * 5000
    url = host.file("/a", content)
    with host.fetcher().open(url, seconds=10) as download:
        assert download.size == len(content)
    assert fetched(host.fetcher(), url) == content
    host.pages["/chunked"] = lambda asked: _chunks(asked, b"5\r\nhello\r\n0\r\n\r\n")
    assert fetched(host.fetcher(), host.url("/chunked")) == b"hello"


def _chunks(asked, text):
    asked.protocol_version = "HTTP/1.1"
    asked.send_response(200)
    asked.send_header("Transfer-Encoding", "chunked")
    asked.end_headers()
    asked.wfile.write(text)
    asked.close_connection = True


def test_loopback_is_refused_though_its_name_is_allowed(host):
    host.asked.clear()
    strict = Fetcher((f"localhost:{host.port}",))
    assert "not on the public internet" in message(strict, host.file("/a", b"x"))
    assert host.asked == []


def test_open_when_the_name_resolves_to_another_address_later_is_refused(host):
    host.asked.clear()
    addresses = iter(["127.0.0.1", "127.0.0.2"])
    rebound = Fetcher(
        (f"localhost:{host.port}",),
        trusted=lambda address: address == "127.0.0.1",
        resolve=lambda _, port, **__: _found(port, next(addresses)),
    )
    host.file("/a", b"secret")
    assert "not on the public internet" in message(rebound, host.redirect("/from", "/a"))
    assert host.asked == ["/from"]


def test_name_with_one_address_inside_is_refused(host):
    host.asked.clear()
    mixed = Fetcher(
        (f"localhost:{host.port}",),
        resolve=lambda _, port, **__: _found(port, "93.184.216.34", "127.0.0.1"),
    )
    assert "not on the public internet" in message(mixed, host.file("/a", b"x"))
    assert host.asked == []


def _found(port, *addresses):
    return [(0, 0, 0, "", (address, port)) for address in addresses]


def test_open_checks_the_address_of_the_peer_too(host):
    host.asked.clear()
    answers = iter([True, False])
    doubted = Fetcher(
        (f"localhost:{host.port}",),
        trusted=lambda _: next(answers),
        resolve=lambda _, port, **__: _found(port, "127.0.0.1"),
    )
    assert "not on the public internet" in message(doubted, host.file("/a", b"x"))
    assert host.asked == []


def test_redirect_is_followed_within_what_is_allowed(host):
    host.file("/to/a.txt", b"hello")
    assert fetched(host.fetcher(), host.redirect("/from", "to/a.txt")) == b"hello"


@pytest.mark.parametrize(
    "to",
    [
        "http://127.0.0.1:{port}/a",
        "http://localhost:1/a",
        "http://169.254.169.254/latest/meta-data/",
        "//[::1]:{port}/a",
        "file:///etc/passwd",
        "http://localhost:{port}@evil.example/",
        "http://xn--\xffevil.example/",
    ],
)
def test_redirect_to_elsewhere_is_refused(host, to):
    host.file("/a", b"secret")
    host.asked.clear()
    message(host.fetcher(), host.redirect("/from", to.format(port=host.port)))
    assert host.asked == ["/from"]


def test_open_follows_a_limited_number_of_redirects(host):
    host.asked.clear()
    assert (
        message(host.fetcher(), host.redirect("/round", "/round"))
        == "Too many redirects from localhost."
    )
    assert len(host.asked) == MAX_REQUESTS


def test_open_of_a_response_without_a_whole_file_is_refused(host):
    assert "responded with status 404 Not Found." in message(host.fetcher(), host.url("/none"))
    host.pages["/cut"] = lambda asked: send(asked, 200, b"half", **{"Content-Length": "8"})
    assert "sent only 4 of 8 bytes." in message(host.fetcher(), host.url("/cut"))
    host.pages["/endless"] = lambda asked: _unsized(asked)
    assert "does not send the length" in message(host.fetcher(), host.url("/endless"))
    host.pages["/short"] = lambda asked: _chunks(asked, b"5\r\nhel")
    assert message(host.fetcher(), host.url("/short")) == "The connection to localhost failed."
    host.pages["/noise"] = lambda asked: asked.wfile.write(b"\0\0\0\r\n\r\n")
    assert message(host.fetcher(), host.url("/noise")) == "The connection to localhost failed."


def _unsized(asked):
    asked.send_response(200)
    asked.end_headers()
    asked.wfile.write(b"some")


def test_open_of_an_unreachable_host_is_refused(host):
    gone = Fetcher(("localhost:1",), trusted=lambda _: True)
    assert message(gone, "http://localhost:1/a") == "The connection to localhost failed."


@pytest.mark.parametrize(
    "part", [b"HTTP/1.0 200 OK\r\n", b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\na"]
)
def test_open_of_a_host_that_stops_sending_ends_in_time(host, part):
    over = threading.Event()

    def silent(asked):
        asked.wfile.write(part)
        over.wait(30)

    host.pages["/silent"] = silent
    try:
        assert (
            message(host.fetcher(), host.url("/silent"), seconds=0.3)
            == "The download took too long."
        )
    finally:
        over.set()
