"""One decorator: a view's signature is its document, its check and its reply.

A view says `actor: Actor` when it must be known who asks, `query`, `headers` and `body` for models
of these, anything else for a part of the path, and what it returns:

    @runs.get("/runs/<run_id>")
    @operation()
    def get_run(actor: Actor, run_id: RunId) -> Run:
        '''One run.'''
        return desk().runs.get(actor, run_id)
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Response, request
from pydantic import TypeAdapter
from werkzeug.datastructures import Headers

from routes.http import rate_limits, requests
from routes.http.context import current_actor
from routes.http.signatures import Extras, Signature, is_tagged
from services.errors import Invalid
from services.models import Model

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

View = Callable[..., Any]
JSON = "application/json"


def operation(
    *, location: Callable[[Any], str] | None = None, **extras: Any
) -> Callable[[View], View]:
    """Check, call and reply as the view's signature says.

    `location` makes the address of what was made; the rest is for the document, see Extras.
    """
    said = Extras(location=location is not None, **extras)

    def decorate(view: View) -> View:
        signature = Signature.of(view)
        tagged = is_tagged(signature, said)
        encoder = None if signature.raw else Encoder(signature.reply, tagged)

        # flasgger would parse the docstring once more if it were passed on
        @functools.wraps(view, assigned=("__module__", "__name__", "__qualname__"))
        def call(**path: str) -> Response:
            given = _given(signature, path, said)
            try:
                value = view(**given)
            except Invalid as error:
                if type(error) is Invalid:
                    raise requests.renamed(error, signature.query) from error
                raise
            if encoder is None:
                return value  # type: ignore[no-any-return]
            reply = _reply(encoder, value, said.status)
            for header in said.sends:
                if text := header.value(value):
                    reply.headers[header.name] = text
            if location:
                reply.headers["Location"] = location(value)
            return reply

        call.operation = (view, signature, said)  # type: ignore[attr-defined]
        return call

    return decorate


def _given(signature: Signature, path: dict[str, str], said: Extras) -> dict[str, Any]:
    """The arguments of a view: first who asks, the body last."""
    given: dict[str, Any] = {"actor": current_actor()} if signature.actor else {}
    if said.limit:
        rate_limits.spend(said.limit, given["actor"])
    given |= requests.read_path(signature.path, path)
    query = requests.read_query(signature.query)
    if query is not None:
        given["query"] = query
    if signature.headers:
        given["headers"] = requests.read_headers(signature.headers)
    if signature.body:
        given["body"] = requests.read_body(signature.body)
    return given


def _reply(encoder: Encoder, value: Any, status: int) -> Response:
    """A reply; who has its bytes already is not sent them again."""
    if status == 204:
        return _bare(204)
    body, tag = encoder.of(value)
    if not tag or request.method not in ("GET", "HEAD"):
        return Whole(body, status, mimetype=JSON)
    known = request.if_none_match.contains_weak(tag)
    reply = _bare(304) if known else Whole(body, status, mimetype=JSON)
    reply.headers.add("ETag", f'"{tag}"')
    reply.headers.add("Cache-Control", "private, no-cache")  # kept, but asked for every time
    return reply


def _bare(status: int) -> Response:
    reply = Whole(status=status)
    del reply.headers["Content-Type"]
    return reply


class Whole(Response):
    """A reply whose headers are complete as they stand."""

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:  # noqa: ARG002
        return self.headers


class Encoder:
    """The bytes of the replies of one operation, and their tags."""

    def __init__(self, kind: Any, tagged: bool) -> None:
        self._adapter = TypeAdapter(kind)
        self._tagged = tagged
        self._last: tuple[Any, bytes, str] = (None, b"", "")

    def of(self, value: Any) -> tuple[bytes, str]:
        """The bytes of a reply. A value that is not of the promised type is an error of ours.

        Requests that shared a look were given the very same value, a frozen one: they share these.
        """
        known, body, tag = self._last
        if known is not value or value is None:
            data = self._adapter.dump_json(value, warnings="error")
            body = b'{"errCode":0,"data":' + data + b',"msg":""}'
            tag = hashlib.sha256(body).hexdigest()[:32] if self._tagged else ""
            if isinstance(value, Model):
                self._last = value, body, tag
        return body, tag
