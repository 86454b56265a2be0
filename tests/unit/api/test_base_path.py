from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask, request, url_for

from routes.http import base_path
from services.settings import Settings


def client_of(api_url):
    """Return a client of an app that responds with the parts of its URL."""
    app = Flask(__name__)

    @app.get("/where/<name>", endpoint="where")
    def where(name):
        return [request.script_root, request.path, url_for("where", name=name)]

    base_path.install(app, replace(Settings(), api_url=api_url))
    return app.test_client()


@pytest.mark.parametrize(
    ("api_url", "path", "parts"),
    [
        ("", "/where/x", ["", "/where/x", "/where/x"]),
        ("https://desk.example.org", "/where/x", ["", "/where/x", "/where/x"]),
        ("https://desk.example.org/desk/", "/desk/where/x", ["/desk", "/where/x", "/desk/where/x"]),
        ("https://desk.example.org/a/b", "/a/b/where/x", ["/a/b", "/where/x", "/a/b/where/x"]),
        # by programs on the server
        ("https://desk.example.org/desk", "/where/x", ["", "/where/x", "/where/x"]),
    ],
)
def test_app_is_served_below_the_path_of_its_public_address(api_url, path, parts):
    assert client_of(api_url).get(path).json == parts


@pytest.mark.parametrize(
    "path", ["/desk", "/desks/where/x", "/x/desk/where/x", "/desk/desk/where/x"]
)
def test_app_is_not_served_below_other_paths(path):
    assert client_of("https://desk.example.org/desk").get(path).status_code == 404
