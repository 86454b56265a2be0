"""Signing in to the portal with a token, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from playwright.sync_api import expect

from services.access.actors import local_actor
from services.bootstrap import build
from services.models import Actor, RunRequest, Scope, TokenRequest
from services.settings import Settings
from tests.browser.conftest import violations
from tests.helpers.processes import Servers
from tests.helpers.shared_desk import shared


@pytest.fixture(scope="module")
def desk(mongod: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """An installation with tokens and without a runner, so submitted runs stay queued."""
    folder = tmp_path_factory.mktemp("desk")
    with shared(mongod, folder, "api", "portal", sign_in_by="tokens", wall="available") as servers:
        yield servers


@pytest.fixture
def settings(desk: Servers) -> Settings:
    return desk.settings


@pytest.fixture
def people(settings):
    """Runs of ann and ben, and a token of ann."""
    services = build(settings)
    request = TokenRequest(name="laptop", owner="ann", scope=Scope.SUBMIT)
    yield SimpleNamespace(
        token=services.tokens.create(local_actor(), request),
        runs={
            name: services.runs.submit(
                Actor(id=name),
                RunRequest(workflow="sequence-search", example=True, name=f"of {name}"),
            )
            for name in ("ann", "ben")
        },
        revoke=lambda token: services.tokens.revoke(local_actor(), token),
    )
    services.close()


def violations_in_both_themes(page):
    """Return the accessibility violations of the page, light and dark."""
    result = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        result += [(scheme, violation["id"]) for violation in violations(page)]
    return result


def test_user_signs_in_sees_own_runs_and_signs_out(window, people):
    mine, theirs = (f"/run?id={people.runs[name].id}" for name in ("ann", "ben"))
    page = window.open(mine)
    expect(page).to_have_url(re.compile(r"/sign-in\?to="))
    field = page.get_by_label("Token")
    expect(field).to_be_focused()
    field.fill("rdk_" + "A" * 43)
    field.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("revoked or does not exist")
    assert window.complaints == [f"answer 401: {window.home}/sign-in"]
    window.complaints.clear()
    assert violations_in_both_themes(page) == []

    field.fill(people.token.secret)
    field.press("Enter")
    expect(page).to_have_url(window.home + mine)
    expect(page.get_by_role("heading", name="of ann")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="of ann")).to_be_visible()
    window.open(theirs)
    expect(page.get_by_text("Run not found")).to_be_visible()
    expect(page.get_by_text("of ben")).to_be_hidden()

    tab = page.context.new_page()
    tab.goto(window.home + "/files")
    expect(tab.get_by_role("heading", name="Files")).to_be_visible()
    tab.get_by_role("button", name="ann").click()
    tab.get_by_role("button", name="Sign out").click()
    expect(tab.get_by_role("heading", name="You are signed out.")).to_be_visible()
    assert tab.evaluate("document.cookie.includes('rundesk')") is False
    tab.close()
    page.reload()  # the other tab is signed out as well
    expect(page).to_have_url(re.compile(r"/sign-in\?to="))
    expect(page.get_by_role("status")).to_have_text("You are signed out.")


def test_open_page_asks_to_sign_in_when_its_token_is_revoked(window, people):
    page = window.open()
    page.get_by_label("Token").fill(people.token.secret)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".st-key-runs")).to_be_visible()
    people.revoke(people.token.id)
    expect(page.get_by_role("heading", name="You are signed out.")).to_be_visible()
    expect(page.locator(".st-key-runs")).to_be_hidden()
    page.get_by_role("link", name="Sign in").click()
    expect(page.get_by_label("Token")).to_be_focused()
