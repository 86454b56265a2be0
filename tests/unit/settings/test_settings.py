"""Settings: one table, checked before anything starts."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from services.errors import Misconfigured
from services.settings import HERE, Settings, is_loopback, table

SIGN_IN = {
    "RUNDESK_REMOTE_USER_HEADER": "X-Remote-User",
    "RUNDESK_REMOTE_USER_SECRET": "sixteen-letters!",
}


def test_load_of_an_empty_environment_gives_the_defaults():
    loaded = Settings.load({})
    assert loaded.data == Path("data").resolve()
    assert (loaded.host, loaded.api_port, loaded.portal_port) == ("127.0.0.1", 8000, 8501)
    assert loaded.uri.startswith("mongodb://127.0.0.1:27117/")
    assert loaded.workflow_folders == (HERE / "workflows", loaded.data / "catalogue")
    assert not loaded.sign_in


def test_load_reads_every_kind_of_value():
    loaded = Settings.load(
        {
            "RUNDESK_DATA": "~/desk",
            "RUNDESK_API_PORT": " 9000 ",
            "RUNDESK_WORKFLOWS": "/a: /b:",
            "RUNDESK_CANCEL_GRACE": "2.5",
            "RUNDESK_ADMINS": "ann, ben,",
            "MONGODB_URI": "mongodb://db/",
        }
    )
    assert loaded.data == Path.home() / "desk"
    assert loaded.api_port == 9000
    assert loaded.workflows == (Path("/a"), Path("/b"))
    assert loaded.cancel_grace == 2.5
    assert loaded.admins == ("ann", "ben")
    assert loaded.uri == "mongodb://db/"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RUNDESK_API_PORT", "eighty"),
        ("RUNDESK_API_PORT", "0"),
        ("RUNDESK_PORTAL_PORT", "65536"),
        ("RUNDESK_MAX_RUNS", "2.5"),
        ("RUNDESK_LOG_LEVEL", "LOUD"),
        ("RUNDESK_CANCEL_GRACE", "soon"),
        ("RUNDESK_MAX_RUNS", "0"),
        ("RUNDESK_ATTEMPTS", "0"),
        ("RUNDESK_MAX_RUNS_PER_OWNER", "-1"),
        ("RUNDESK_WALLTIME", "-0.5"),
        ("RUNDESK_MAX_CONSOLE", "0"),
        ("RUNDESK_DISK_FLOOR", "-1"),
        ("RUNDESK_CORES", "-1"),
        ("RUNDESK_MAX_UPLOAD", "0"),
    ],
)
def test_load_refuses_a_value_that_does_not_fit_and_names_it(name, value):
    with pytest.raises(Misconfigured, match=name):
        Settings.load({name: value})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "desk.example.org"])
def test_load_refuses_another_address_without_sign_in_and_says_what_to_set(host):
    with pytest.raises(Misconfigured) as refused:
        Settings.load({"RUNDESK_HOST": host})
    assert "RUNDESK_HOST=127.0.0.1" in refused.value.message
    assert "RUNDESK_REMOTE_USER_HEADER" in refused.value.message
    assert refused.value.message.count("\n") == 0


def test_load_takes_another_address_with_sign_in():
    assert Settings.load({"RUNDESK_HOST": "0.0.0.0", **SIGN_IN}).sign_in


def test_load_refuses_sign_in_without_a_secret_worth_the_name():
    with pytest.raises(Misconfigured, match="RUNDESK_REMOTE_USER_SECRET"):
        Settings.load({**SIGN_IN, "RUNDESK_REMOTE_USER_SECRET": "short"})


HOSTS = {"RUNDESK_IMPORT_HOSTS": "files.lab.example,tables:8080,file_server:8080,*.example.org"}


def test_load_import_private_with_addresses_and_networks_returns_networks():
    loaded = Settings.load({**HOSTS, "RUNDESK_IMPORT_PRIVATE": "10.20.0.0/16, 192.168.7.20,::1"})
    networks = [str(network) for network in loaded.private_networks]
    assert networks == ["10.20.0.0/16", "192.168.7.20/32", "::1/128"]
    assert Settings.load({}).private_networks == ()


@pytest.mark.parametrize(
    "entry",
    [
        "localhost",
        "10.0.0.1/8",  # an address with a mask: unclear which of them is meant
        "10.0.0.0/33",
        "10.0.0.1-10.0.0.9",
        "0.0.0.0/0",
        "::/0",
        "8.8.8.8",
        "169.254.169.254",
        "fe80::/10",
        "64:ff9b::/96",
        "2002:7f00:1::/48",
        "::ffff:10.0.0.1",
        "224.0.0.1",
        "0.0.0.0",
    ],
)
def test_load_import_private_that_is_no_private_network_is_refused(entry):
    with pytest.raises(Misconfigured, match="RUNDESK_IMPORT_PRIVATE contains"):
        Settings.load({**HOSTS, "RUNDESK_IMPORT_PRIVATE": entry})


def test_load_import_private_without_hosts_is_refused():
    with pytest.raises(Misconfigured, match="RUNDESK_IMPORT_HOSTS"):
        Settings.load({"RUNDESK_IMPORT_PRIVATE": "10.0.0.0/8"})


def with_headers(folder, text):
    path = folder / "headers.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Settings.load({**HOSTS, "RUNDESK_IMPORT_HEADERS": str(path)})


def test_load_import_headers_returns_those_of_each_host(tmp_path):
    loaded = with_headers(
        tmp_path,
        """
        ["files.lab.example"]
        Authorization = "Bearer s3cret"
        ["tables:8080"]
        PRIVATE-TOKEN = "glpat-1"
        Cookie = "a=b; c=d"
        """,
    )
    assert loaded.read_import_headers() == {
        "files.lab.example": {"Authorization": "Bearer s3cret"},
        "tables:8080": {"PRIVATE-TOKEN": "glpat-1", "Cookie": "a=b; c=d"},
    }
    assert "s3cret" not in repr(loaded)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no table", "TOML"),
        (b'["tables:8080"]\nX = "\xff"', "TOML"),
        ('["other.example"]\nX = "s3cret"', "other.example"),
        ('["files.lab.example:8080"]\nX = "s3cret"', "files.lab.example:8080"),
        ('["*.example.org"]\nX = "s3cret"', "wildcard"),
        ('"tables:8080" = "s3cret"', "table of headers"),
        ('["tables:8080"]\nX = 1', "invalid header X"),
        ('["tables:8080"]\nX = ["s3cret"]', "invalid header X"),
        ('["tables:8080"]\nX = ""', "invalid header X"),
        ('["tables:8080"]\nX = "s3cret\\r\\nHost: evil"', "invalid header X"),
        ('["tables:8080"]\nX = "s3crét"', "invalid header X"),
        ('["tables:8080"]\n"X y" = "s3cret"', "invalid header X y"),
        ('["tables:8080"]\nhost = "s3cret"', "must not set the header host"),
        ('["tables:8080"]\nTransfer-Encoding = "chunked"', "must not set"),
    ],
)
def test_load_import_headers_that_are_invalid_are_refused_without_their_values(
    tmp_path, text, reason
):
    with pytest.raises(Misconfigured) as refused:
        with_headers(tmp_path, text)
    assert "RUNDESK_IMPORT_HEADERS" in refused.value.message
    assert reason in refused.value.message
    assert "s3cr" not in refused.value.message


def test_load_import_headers_without_a_file_is_refused(tmp_path):
    with pytest.raises(Misconfigured, match="RUNDESK_IMPORT_HEADERS cannot be read"):
        Settings.load({**HOSTS, "RUNDESK_IMPORT_HEADERS": str(tmp_path / "none")})


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("localhost.example.org", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_is_loopback(host, expected):
    assert is_loopback(host) is expected


def test_addresses_as_browsers_see_them():
    assert Settings().public_api_url == "http://127.0.0.1:8000"
    assert Settings(host="::1").public_portal_url == "http://[::1]:8501"
    assert Settings(api_url="https://desk.example.org/api/").public_api_url == (
        "https://desk.example.org/api"
    )


def test_cores_of_a_run_are_its_share_or_as_set_but_never_more_than_there_are():
    assert Settings(cores=16, max_runs=4).cores_per_run == 4
    assert Settings(cores=16, max_runs=4, run_cores=6).cores_per_run == 6
    assert Settings(cores=4, run_cores=8).cores_per_run == 4
    assert Settings(cores=1).cores_per_run == 1
    assert Settings().shared_cores >= 1


def test_table_has_every_setting_once_with_a_help_text():
    rows = table()
    names = [row["name"] for row in rows]
    assert len(rows) == len(fields(Settings)) == len(set(names))
    assert all(row["help"] for row in rows)
    assert all(name == "MONGOD" or name.startswith(("RUNDESK_", "MONGODB_")) for name in names)
