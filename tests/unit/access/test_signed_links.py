"""Signed links, and the actors of requests."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from services.access.actors import actor_of, local_actor
from services.access.signed_links import Links
from services.errors import NotSignedIn
from services.models import Actor
from services.settings import Settings

SECRET = "a-long-enough-secret"


@pytest.fixture
def settings(tmp_path):
    return Settings(
        data=tmp_path,
        remote_user_header="X-Remote-User",
        remote_user_secret=SECRET,
        admins=("root",),
    )


def parts(url):
    split = urlsplit(url)
    return unquote(split.path), dict(parse_qsl(split.query))


def test_make_then_actor_of_gives_the_user_back(settings):
    path, query = parts(Links(settings, None).make(Actor(id="ann"), "/api/v1/a b/ü", inline="1"))
    assert path == "/api/v1/a b/ü"
    assert query["inline"] == "1"
    assert Links(settings, None).actor_of(path, query) == Actor(id="ann", admin=False)


def test_actor_of_without_signature_is_nobody(settings):
    assert Links(settings, None).actor_of("/x", {}) is None


@pytest.mark.parametrize("change", [{"actor": "root"}, {"expires": "99999999999"}, {"path": "/y"}])
def test_actor_of_a_changed_link_is_refused(settings, change):
    path, query = parts(Links(settings, None).make(Actor(id="ann"), "/x"))
    path = change.pop("path", path)
    with pytest.raises(NotSignedIn):
        Links(settings, None).actor_of(path, query | change)


def test_actor_of_an_expired_link_is_refused(settings):
    path, query = parts(Links(settings, None).make(Actor(id="ann"), "/x", seconds=-1))
    with pytest.raises(NotSignedIn):
        Links(settings, None).actor_of(path, query)


def test_key_is_readable_by_its_owner_only(settings, tmp_path):
    Links(settings, None)
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_actor_without_sign_in_is_the_local_user(tmp_path):
    assert actor_of(Settings(data=tmp_path), {"X-Remote-User": "ann"}) == local_actor()


def test_actor_is_the_user_that_the_proxy_names(settings):
    headers = {"X-Remote-User": "ann", "X-Rundesk-Secret": SECRET}
    assert actor_of(settings, headers) == Actor(id="ann", admin=False)
    assert actor_of(settings, headers | {"X-Remote-User": "root"}).admin


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Remote-User": "ann"},
        {"X-Remote-User": "ann", "X-Rundesk-Secret": "wrong"},
        {"X-Rundesk-Secret": SECRET},
        {"X-Remote-User": "a\x00b", "X-Rundesk-Secret": SECRET},
    ],
)
def test_actor_without_the_secret_or_a_name_is_refused(settings, headers):
    with pytest.raises(NotSignedIn):
        actor_of(settings, headers)
