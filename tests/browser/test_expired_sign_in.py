"""A half-filled form whose sign-in ends."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from services.access.actors import local_actor
from services.models import Actor, NewToken, Scope, TokenRequest
from services.settings import Settings
from tests.browser.conftest import Window
from tests.browser.test_forms import (
    READS,
    RESTORED,
    WORKFLOWS,
    expect_filled,
    fill,
    saved,
    typed,
)
from tests.helpers.processes import Servers
from tests.helpers.shared_desk import shared

ANN = Actor(id="ann")

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def desk(mongod: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """An installation with tokens and without a runner."""
    folder = tmp_path_factory.mktemp("desk")
    given = {"sign_in_by": "tokens", "workflows": WORKFLOWS, "wall": "available"}
    with shared(mongod, folder, "api", "portal", **given) as servers:
        yield servers


@pytest.fixture
def settings(desk: Servers) -> Settings:
    return desk.settings


def test_form_is_restored_after_the_token_expired_and_another_sign_in(
    window: Window, services
) -> None:
    def token() -> NewToken:
        request = TokenRequest(name="laptop", owner="ann", scope=Scope.SUBMIT)
        return services.tokens.create(local_actor(), request)

    def sign_in(secret: str) -> None:
        page.get_by_label("Token").fill(secret)
        page.get_by_role("button", name="Sign in").click()

    for name, content in {"a_R1.fastq": READS, "one.tsv": b"a\n1\n"}.items():
        services.files.register(ANN, name, io.BytesIO(content))
    page, first = window.page, token()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    window.open("/new?workflow=kinds")
    sign_in(first.secret)
    expect(page.locator(".st-key-start button")).to_be_enabled()
    fill(page)
    saved(services, ANN, "run-name", "Half filled")
    saved(services, ANN, "field-extra", "{half")

    services.tokens.revoke(local_actor(), first.id)
    typed("field-label", "typed")(page)
    expect(page.get_by_role("heading", name="You are signed out.")).to_be_visible()
    page.get_by_role("link", name="Sign in").click()
    sign_in(token().secret)
    expect(page).to_have_url(re.compile(r"/new\?workflow=kinds"))
    expect(page.get_by_text(RESTORED)).to_be_visible()
    expect_filled(page)
