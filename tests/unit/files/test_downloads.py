"""Downloads: allowed hosts only, and only what is public when it is connected to."""

from __future__ import annotations

import ipaddress
import threading

import pytest

from services.errors import Invalid
from services.files.download_names import from_disposition
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


# ---- private hosts ---------------------------------------------------------------------------

LOOPBACK = (ipaddress.ip_network("127.0.0.1"), ipaddress.ip_network("::1"))


def private(host, **given):
    """Return a fetcher that may download from this host as the operators allow it."""
    return Fetcher(**{"hosts": (f"localhost:{host.port}",), "private": LOOPBACK, **given})


def resolving(*answers):
    """Return a resolver that gives these addresses, one answer after the other."""
    waiting = iter(answers)
    return lambda _, port, **__: _found(port, *next(waiting))


def test_open_of_a_private_host_that_operators_list_returns_the_file(host):
    assert fetched(private(host), host.file("/a", b"table")) == b"table"
    literal = private(host, hosts=(f"127.0.0.1:{host.port}",))
    assert fetched(literal, f"http://127.0.0.1:{host.port}/a") == b"table"


@pytest.mark.parametrize(
    "given",
    [
        {"private": ()},
        {"private": (ipaddress.ip_network("127.0.0.2"), ipaddress.ip_network("10.0.0.0/8"))},
        {"hosts": ("*.localhost:{port}",), "resolve": resolving(["127.0.0.1"])},
    ],
    ids=["no network", "another network", "only a wildcard"],
)
def test_open_of_a_private_host_without_name_and_network_is_refused(host, given):
    host.asked.clear()
    host.file("/a", b"secret")
    if "hosts" in given:
        given = given | {"hosts": tuple(entry.format(port=host.port) for entry in given["hosts"])}
    name = "tables.localhost" if "hosts" in given else "localhost"
    text = message(private(host, **given), f"http://{name}:{host.port}/a")
    assert text == f"{name} is not on the public internet."
    assert host.asked == []


def test_open_of_a_host_with_one_private_address_that_is_not_listed_is_refused(host):
    host.asked.clear()
    mixed = private(host, resolve=resolving(["127.0.0.1", "10.0.0.1"]))
    assert "not on the public internet" in message(mixed, host.file("/a", b"secret"))
    assert host.asked == []


@pytest.mark.parametrize(
    "address", ["127.0.0.2", "169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::", "::ffff:7f00:2"]
)
def test_open_of_a_private_host_that_is_rebound_beyond_the_listed_ones_is_refused(host, address):
    host.asked.clear()
    rebound = private(host, resolve=resolving(["127.0.0.1"], [address]))
    host.file("/a", b"secret")
    assert "not on the public internet" in message(rebound, host.redirect("/from", "/a"))
    assert host.asked == ["/from"]


def test_open_checks_the_connected_address_of_a_private_host(host, monkeypatch):
    host.asked.clear()
    seen = []
    real = Fetcher._check_peers

    def check(self, target, addresses):
        seen.append(list(addresses))
        real(self, target, ["10.0.0.1"] if len(seen) == 2 else addresses)

    monkeypatch.setattr(Fetcher, "_check_peers", check)
    host.file("/a", b"secret")
    pinned = private(host, resolve=resolving(["127.0.0.1"]))
    assert "not on the public internet" in message(pinned, host.url("/a"))
    assert seen == [["127.0.0.1"], ["127.0.0.1"]]
    assert host.asked == []


def test_redirect_of_a_private_host_to_one_that_is_not_listed_is_refused(host):
    host.file("/a", b"secret")
    with web_host.serving() as other:
        other.file("/a", b"secret")
        for to in (other.url("/a"), f"http://127.0.0.1:{host.port}/a", "http://10.0.0.1/a"):
            message(private(host), host.redirect("/from", to))
        assert other.asked == []


def test_redirect_to_a_listed_name_beyond_the_listed_networks_is_refused(host):
    with web_host.serving() as other:
        other.file("/a", b"secret")
        both = private(
            host,
            hosts=(f"localhost:{host.port}", f"inner.example:{other.port}"),
            resolve=lambda name, port, **__: _found(
                port, "127.0.0.1" if name == "localhost" else "127.0.0.3"
            ),
        )
        to = host.redirect("/from", f"http://inner.example:{other.port}/a")
        assert message(both, to) == "inner.example is not on the public internet."
        assert other.asked == []


# ---- headers ---------------------------------------------------------------------------------


def test_open_sends_the_headers_of_a_host_and_only_to_it(host):
    with web_host.serving() as other:
        ours, theirs = f"localhost:{host.port}", f"localhost:{other.port}"
        headers = {ours: {"Authorization": "Bearer ours", "X-Key": "1"}}
        fetcher = private(host, hosts=(ours, theirs), headers=headers)
        other.file("/a", b"hello")
        host.headers.clear()
        assert fetched(fetcher, host.redirect("/from", other.url("/a"))) == b"hello"
        assert host.headers[0]["Authorization"] == "Bearer ours"
        assert host.headers[0]["X-Key"] == "1"
        assert host.headers[0]["User-Agent"] == "rundesk"
        assert not {"Authorization", "X-Key"} & set(other.headers[0])

        own = private(host, hosts=(ours, theirs), headers=headers | {theirs: {"X-Key": "2"}})
        assert fetched(own, host.url("/from")) == b"hello"
        assert other.headers[1]["X-Key"] == "2"
        assert "Authorization" not in other.headers[1]
        assert "Bearer" not in repr(own)


def test_open_sends_no_headers_of_a_host_to_another_name_of_it(host):
    ours, alias = f"localhost:{host.port}", f"127.0.0.1:{host.port}"
    fetcher = private(host, hosts=(ours, alias), headers={ours: {"X-Key": "1"}})
    host.file("/a", b"hello")
    host.headers.clear()
    fetched(fetcher, host.redirect("/from", f"http://{alias}/a"))
    assert ["X-Key" in headers for headers in host.headers] == [True, False]


def test_open_of_a_public_host_with_headers_but_without_tls_is_refused(host):
    host.asked.clear()
    fetcher = Fetcher(
        (f"localhost:{host.port}",),
        headers={f"localhost:{host.port}": {"X-Key": "1"}},
        trusted=lambda _: True,
    )
    assert message(fetcher, host.file("/a", b"x")) == "Downloads from localhost require https://."
    assert host.asked == []


# ---- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/download?type=1&fileName=BSA1.mzML.gz", "BSA1.mzML.gz"),
        ("/download?type=1&fileName=%E4%B8%AD%E6%96%87%E8%A1%A8.xlsx", "中文表.xlsx"),
        ("/download?type=1&fileName=中文表.xlsx", "中文表.xlsx"),
        ("/download?file_name=%D6%D0%CE%C4.csv", "中文.csv"),  # GB2312
        ("/download?FILENAME=..%2F..%2Fetc%2Fa.csv", "a.csv"),
        ("/download?filename=C%3A%5Cdata%5Ca+b.csv", "a b.csv"),
        ("/download?filename=%00&x=1", "download"),
        ("/download?filename=..", "download"),
        ("/download?file=a.csv", "a.csv"),
        ("/download?file=7", "download"),
        ("/data/a.fq.gz?name=b.fq", "a.fq.gz"),
        ("/data/%E6%A0%B7%E5%93%81.fq", "样品.fq"),
    ],
)
def test_target_name_is_the_file_name_of_query_or_path(path, name):
    assert ALLOWED.target(f"https://files.example.org{path}").name == name


def test_target_encodes_characters_beyond_ascii_in_path_and_query():
    target = ALLOWED.target("https://files.example.org/数据/a?fileName=中文表.xlsx#片段")
    assert target.url == (
        "https://files.example.org/%E6%95%B0%E6%8D%AE/a?fileName=%E4%B8%AD%E6%96%87%E8%A1%A8.xlsx"
    )
    for url in ("https://文件.example/a", "https://files.example.org/\ud800", "中文"):
        with pytest.raises(Invalid):
            ALLOWED.target(url)


def test_target_takes_a_host_name_with_an_underscore():
    assert Fetcher(("file_server:8080",)).target("http://file_server:8080/a.csv").name == "a.csv"


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("attachment; filename=a.csv", "a.csv"),
        ('inline; filename="a b; c.csv"', "a b; c.csv"),
        ("attachment; filename=\"x.csv\"; filename*=UTF-8''%E4%B8%AD%E6%96%87.xlsx", "中文.xlsx"),
        ("attachment; filename*=utf-8'zh-CN'%E4%B8%AD.csv; filename=x.csv", "中.csv"),
        ("attachment; filename*=iso-8859-1''%E9t%E9.csv", "été.csv"),
        ("attachment; filename*=GB18030''%D6%D0.csv", "中.csv"),
        ("attachment; filename*=UTF-8''%FF.csv; filename=x.csv", "x.csv"),
        ("attachment; filename*=utf-7''a.csv; filename=x.csv", "x.csv"),
        ("attachment; filename*=UTF-8''a%0Ab.csv; filename=x.csv", "x.csv"),
        ("attachment; filename*=UTF-8''%2Fetc%2Fpasswd", "passwd"),
        (r'attachment; filename="..\..\a.csv"', "a.csv"),
        ('attachment; filename="../../a.csv"', "a.csv"),
        (r'attachment; filename="say \"hi\".csv"', 'say "hi".csv'),
        ('attachment; filename=".."', ""),
        ('attachment; filename="a\x00b.csv"', ""),
        ('attachment; filename="a%0Ab.csv"', ""),
        ("attachment; filename*=UTF-8''a%E2%80%AEvsc.exe", ""),  # right-to-left override
        ("attachment; filename=%E4%B8%AD.csv", "中.csv"),
        ('attachment; filename="100%.csv"', "100%.csv"),
        ('form-data; name="filename=evil.csv"; filename=x.csv', "x.csv"),
        ("attachment;\r\n filename=a.csv", "a.csv"),
        ("attachment", ""),
        ("", ""),
        ("中文.csv".encode().decode("latin-1").join(('attachment; filename="', '"')), "中文.csv"),
        ("中文.csv".encode("gbk").decode("latin-1").join(("x; filename=", "")), "中文.csv"),
        ("x; filename=Müller.csv", "Müller.csv"),
    ],
)
def test_name_of_content_disposition_follows_rfc_6266(header, name):
    assert from_disposition(header) == name


def test_open_names_the_file_by_content_disposition_else_by_the_first_url(host):
    disposition = "attachment; filename*=UTF-8''%E8%A1%A8.csv"
    url = host.file("/get?fileName=b.csv", b"x", **{"Content-Disposition": disposition})
    with host.fetcher().open(url, seconds=10) as download:
        assert download.name == "表.csv"
    host.file("/to/x", b"x")
    with host.fetcher().open(host.redirect("/from/a.csv", "/to/x"), seconds=10) as download:
        assert download.name == "a.csv"
    with host.fetcher().open(host.redirect("/", "/to/x"), seconds=10) as download:
        assert download.name == "x"
