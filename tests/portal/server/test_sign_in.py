"""The sign-in page, requested by browsers and by foreign pages, and sign-in in the portal."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest
from starlette.requests import Request

from services import single_flight
from services.access.actors import local_actor
from services.bootstrap import build
from services.models import Actor, Scope, TokenRequest
from tests.helpers.scenes import Scenes
from ui import context as surroundings
from ui.server.sign_in import MAX_FORM_BYTES, SIGN_IN_PATH, SignIn, redirect_to_sign_in

ORIGIN = "http://127.0.0.1:8501"
WRONG = "rdk_" + "A" * 43


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def cookie(self):
        """The cookie that the reply sets: name, and value with flags."""
        ((name, morsel),) = SimpleCookie(self.headers["set-cookie"]).items()
        return name, morsel


def exchange(app, method="GET", path=SIGN_IN_PATH, query="", body=b"", **headers):
    """Send one request to an ASGI app."""
    given = {"host": "127.0.0.1:8501", **{k.replace("_", "-"): v for k, v in headers.items()}}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(k.encode(), v.encode()) for k, v in given.items()],
        "client": ("192.0.2.1", 1),
        "scheme": "http",
        "server": ("127.0.0.1", 8501),
    }
    messages = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        messages.append(message)

    asyncio.run(app(scope, receive, send))
    sent = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
    text = b"".join(message.get("body", b"") for message in messages).decode()
    return Reply(messages[0]["status"], sent, text)


async def streamlit(_, __, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"Streamlit"})


@pytest.fixture
def settings(settings):
    return replace(settings, portal_url=ORIGIN, sign_in_by="tokens", rate_sign_in=3)


@pytest.fixture
def desk(settings, monkeypatch):
    monkeypatch.setattr(single_flight, "CACHE_SECONDS", 0.0)
    services = build(settings)
    services.database.create_indexes()
    yield SimpleNamespace(services=services, settings=settings, app=app_of(services, settings))
    services.close()


def app_of(services, settings):
    return SignIn(streamlit, settings, lambda: services)


def token(desk, owner="ann", scope=Scope.SUBMIT):
    request = TokenRequest(name="n", owner=owner, scope=scope)
    return desk.services.tokens.create(local_actor(), request)


def post(app, secret, to="", path=SIGN_IN_PATH, **headers):
    body = urlencode({"token": secret, "to": to}).encode()
    return exchange(app, "POST", path, body=body, **{"origin": ORIGIN, **headers})


def notice(reply):
    """The message above the form."""
    match = re.search(r'<p id="notice"[^>]*>(.*?)</p>', reply.text)
    return match[1] if match else ""


def test_page_has_a_token_field_and_loads_nothing_from_other_hosts(desk):
    reply = exchange(desk.app, query="to=run%3Fid%3D1")
    assert (reply.status, notice(reply)) == (200, "")
    assert 'type="password"' in reply.text
    assert 'name="to" type="hidden" value="run?id=1"' in reply.text
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)|<script|style=", reply.text)
    policy = reply.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert reply.headers["cache-control"] == "no-store"


def test_valid_token_sets_a_cookie_and_redirects_to_the_page(desk):
    made = token(desk)
    reply = post(desk.app, f" {made.secret}\n", "run?id=65f0c0ffee0123456789abcd")
    assert reply.status == 303
    assert reply.headers["location"] == "/run?id=65f0c0ffee0123456789abcd"
    name, cookie = reply.cookie
    assert name == desk.services.sessions.cookie
    assert desk.services.sessions.actor_of({}, cookie.value).id == "ann"
    assert (cookie["path"], cookie["samesite"], cookie["domain"]) == ("/", "lax", "")
    assert cookie["httponly"]
    assert not cookie["secure"]
    assert made.secret not in str(reply)
    signed_in = exchange(desk.app, cookie=f"{name}={cookie.value}", query="to=files")
    assert (signed_in.status, signed_in.headers["location"]) == (303, "/files")


def test_second_sign_in_ends_the_first_session(desk):
    made, sessions = token(desk), desk.services.sessions
    _, first = post(desk.app, made.secret).cookie
    _, second = post(desk.app, made.secret, cookie=f"{sessions.cookie}={first.value}").cookie
    assert sessions.actor_of({}, second.value).id == "ann"
    reply = exchange(desk.app, cookie=f"{sessions.cookie}={first.value}")
    assert (reply.status, notice(reply)) == (200, "You are signed out.")


def test_behind_a_proxy_the_cookie_is_for_https_and_the_portals_path(desk):
    public = replace(desk.settings, portal_url="https://desk.example.org/rundesk/")
    app = app_of(desk.services, public)
    place = f"/rundesk{SIGN_IN_PATH}"
    assert exchange(app, path=SIGN_IN_PATH).text == "Streamlit"
    assert f'action="{place}"' in exchange(app, path=place).text
    secret = token(desk).secret
    reply = post(app, secret, "files", place, origin="https://desk.example.org")
    assert reply.headers["location"] == "/rundesk/files"
    _, cookie = reply.cookie
    assert cookie["secure"]
    assert cookie["path"] == "/rundesk"


@pytest.mark.parametrize(
    "to",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "javascript:x",
        "run\r\nX: y",
        "../x",
        "run?x=<script>",
        "run#x",
        "@evil.example",
        "x" * 2000,
    ],
)
def test_redirect_goes_only_to_pages_of_the_portal(desk, to):
    reply = post(desk.app, token(desk).secret, to)
    assert (reply.status, reply.headers["location"]) == (303, "/")
    asked = exchange(desk.app, query=urlencode({"to": to}))
    assert 'name="to" type="hidden" value=""' in asked.text


def test_invalid_token_is_refused_with_the_reason(desk):
    revoked, expired = token(desk), token(desk)
    desk.services.tokens.revoke(local_actor(), revoked.id)
    past = datetime.now(UTC) - timedelta(days=1)
    tokens = desk.services.database.tokens._tokens
    tokens.update_one({"created": expired.created}, {"$set": {"expires": past}})
    for secret, words in (
        (WRONG, "it was revoked or does not exist"),
        (revoked.secret, "it was revoked or does not exist"),
        (expired.secret, f"it expired on {past:%d %B %Y}"),
    ):
        reply = post(app_of(desk.services, desk.settings), secret, "files")
        assert reply.status == 401
        assert words in notice(reply)
        assert 'role="alert"' in reply.text
        assert 'value="files"' in reply.text
        assert "set-cookie" not in reply.headers
        assert secret not in reply.text
    for secret in ("", "x", "<b>x</b>", "rdk_\0"):
        reply = post(app_of(desk.services, desk.settings), secret)
        assert notice(reply) == "This is not a Rundesk token. A token starts with `rdk_`."


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "https://127.0.0.1.evil.example:8501"},
    ],
)
def test_form_of_another_site_is_refused(desk, headers):
    reply = post(desk.app, token(desk).secret, **headers)
    assert reply.status == 403
    assert "set-cookie" not in reply.headers


def test_form_without_origin_is_checked_by_its_fetch_site(desk):
    body = urlencode({"token": token(desk).secret}).encode()
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 303)):
        assert exchange(desk.app, "POST", body=body, sec_fetch_site=site).status == status
    assert exchange(desk.app, "POST", body=body).status == 303


def test_invalid_tokens_are_rate_limited_and_valid_ones_are_not(desk):
    assert [post(desk.app, WRONG).status for _ in range(5)] == [401, 401, 401, 429, 429]
    reply = post(desk.app, WRONG)
    assert 1 <= int(reply.headers["retry-after"]) <= 60
    assert "Try again in" in notice(reply)
    assert post(desk.app, token(desk).secret).status == 303


def test_other_requests_are_refused_or_passed_to_streamlit(desk):
    assert exchange(desk.app, "DELETE").status == 405
    assert exchange(desk.app, "POST", body=b"x" * (MAX_FORM_BYTES + 1), origin=ORIGIN).status == 413
    assert exchange(desk.app, path="/run").text == "Streamlit"
    without = app_of(desk.services, replace(desk.settings, sign_in_by=""))
    assert exchange(without).text == "Streamlit"


def test_unavailable_database_is_reported(desk):
    settings = replace(desk.settings, mongodb_uri="", db_port=1)
    services = build(settings, patience=0.1)
    reply = post(app_of(services, settings), token(desk).secret)
    services.close()
    assert (reply.status, notice(reply)) == (503, "The database is not responding.")


def test_page_without_session_redirects_to_the_sign_in_page(desk):
    def opened(settings=desk.settings, **headers):
        sent = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": "GET", "path": "/run", "query_string": b"id=1&tab=log"}
        request = Request({**scope, "headers": [(b"host", b"127.0.0.1"), *sent]})
        return asyncio.run(redirect_to_sign_in(request, settings, lambda: desk.services))

    reply = opened()
    assert reply.status_code == 303
    assert reply.headers["location"] == "/sign-in?to=run%3Fid%3D1%26tab%3Dlog"
    name, cookie = post(desk.app, token(desk).secret).cookie
    assert opened(cookie=f"{name}={cookie.value}") is None
    assert opened(replace(desk.settings, sign_in_by="")) is None


# ---- the portal itself -------------------------------------------------------------------------


@pytest.fixture
def browser(monkeypatch):
    """The session cookie of the browser, which AppTest does not have."""
    held = {"session": ""}
    monkeypatch.setattr(surroundings, "session", lambda: held["session"])
    return held


def words(session):
    return [text.value.replace("\\", "") for text in (*session.title, *session.markdown)]


def test_portal_without_session_asks_to_sign_in_without_an_error(portal, desk, browser):
    session = portal("run", id="65f0c0ffee0123456789abcd")
    assert not session.exception
    assert not (*session.error, *session.warning)
    assert "Sign in first." in words(session)
    assert 'href="/sign-in' in session.get("html")[0].proto.body


def test_portal_behind_a_proxy_names_the_address_to_sign_in(portal, settings, monkeypatch):
    monkeypatch.setenv("RUNDESK_SIGN_IN", "")
    monkeypatch.setenv("RUNDESK_REMOTE_USER_HEADER", "X-User")
    monkeypatch.setenv("RUNDESK_REMOTE_USER_SECRET", "s" * 16)
    session = portal()
    assert not session.exception
    assert "Sign in first." in words(session)
    assert any("the address of the proxy that signs users in" in text for text in words(session))
    assert not session.get("html")


def test_portal_shows_the_user_and_their_runs_and_signs_out(portal, desk, browser):
    for owner in ("ann", "ben"):
        Scenes(desk.services, Actor(id=owner)).waiting(workflow="shapes", name=f"of {owner}")
    browser["session"] = desk.services.sessions.begin(token(desk, "ann").secret).secret
    session = portal()
    assert not session.exception
    assert "**ann**" in words(session)
    assert list(session.dataframe[0].value["Name"]) == ["of ann"]

    session.button(key="sign-out").click().run()
    assert "You are signed out." in words(session)
    assert not session.dataframe
    assert "visitor" not in session.session_state


def test_session_that_ends_while_a_page_is_open_asks_to_sign_in(portal, desk, browser):
    made = token(desk)
    browser["session"] = desk.services.sessions.begin(made.secret).secret
    session = portal("files")
    assert session.title[0].value == "Files"
    desk.services.tokens.revoke(local_actor(), made.id)
    session.run()
    assert not session.exception
    assert "You are signed out." in words(session)


def test_tab_of_another_user_has_no_state_of_the_previous_one(portal, desk, browser):
    browser["session"] = desk.services.sessions.begin(token(desk, "ann").secret).secret
    session = portal("files")
    session.session_state["links"] = {"kept": "of ann"}
    browser["session"] = desk.services.sessions.begin(token(desk, "ben").secret).secret
    session.run()
    assert not session.exception
    assert "**ben**" in words(session)
    assert "kept" not in session.session_state["links"]


def test_read_only_token_disables_every_change(portal, desk, browser):
    scenes = Scenes(desk.services, Actor(id="ann"))
    live, over = scenes.running(), scenes.failed(workflow="shapes")
    browser["session"] = desk.services.sessions.begin(token(desk, "ann", Scope.READ).secret).secret
    pages = {
        "runs": (portal(), {"new"}),
        "live": (portal("run", id=live.id), {"cancel", "again"}),
        "over": (portal("run", id=over.id), {"resume", "again"}),
        "cards": (portal("new"), {"example-new-shapes", "setup-new-shapes"}),
        "form": (portal("new", workflow="shapes"), {"start", "example-form-shapes"}),
        "file": (portal("files", file=over.inputs[0].file), {"delete"}),
        "about": (portal("workflows", name="shapes"), {"new-run", "example-about-shapes"}),
    }
    for name, (session, keys) in pages.items():
        assert not session.exception, name
        found = {one.key: one for one in session.button}
        for key in keys:
            assert found[key].disabled, (name, key)
            assert found[key].help == "Your access is read-only."
        assert not session.get("bidi_component"), name  # no uploader
    (more,) = pages["over"][0].get("menu_button") or [None]
    assert more is None or list(more.proto.options) == [":material/link: Share"]
