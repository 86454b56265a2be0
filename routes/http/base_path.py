"""The path below which a reverse proxy serves the API, taken from RUNDESK_API_URL.

A header of the request (`SCRIPT_NAME`) could name it as well, but any client can send one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Flask

from services.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class BasePath:
    """WSGI middleware that moves the base path of a URL to where frameworks expect it.

    Requests without the base path are served as well: programs on the server use them.
    """

    def __init__(self, app: WSGIApplication, path: str) -> None:
        self._app = app
        self._path = path

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path.startswith(f"{self._path}/"):
            environ["SCRIPT_NAME"] = self._path
            environ["PATH_INFO"] = path[len(self._path) :]
        return self._app(environ, start_response)


def install(app: Flask, settings: Settings) -> None:
    """Serve the app also below the path of its public address, if that has one."""
    if path := urlsplit(settings.public_api_url).path.rstrip("/"):
        app.wsgi_app = BasePath(app.wsgi_app, path)  # type: ignore[method-assign]
