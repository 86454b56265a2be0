"""The decorator of views: it derives documentation, validation and response from the signature.

A view takes `actor: Actor` if it requires authentication, and `query`, `headers` and `body` as
models of these. Every other argument is a parameter of the path:

    @runs.get("/runs/<run_id>")
    @operation()
    def get_run(actor: Actor, run_id: RunId) -> Run:
        '''Get a run.'''
        return services().runs.get(actor, run_id)
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
    """Return a decorator that validates requests and encodes what the view returns.

    `location` returns the URL of the created resource; for the rest see Extras.
    """
    options = Extras(location=location is not None, **extras)

    def decorate(view: View) -> View:
        signature = Signature.of(view)
        tagged = is_tagged(signature, options)
        encoder = None if signature.raw else Encoder(signature.reply, tagged)

        # without the docstring, which flasgger would parse again
        @functools.wraps(view, assigned=("__module__", "__name__", "__qualname__"))
        def call(**path: str) -> Response:
            arguments = _arguments(signature, path, options)
            try:
                value = view(**arguments)
            except Invalid as error:
                if type(error) is Invalid:
                    raise requests.with_query_fields(error, signature.query) from error
                raise
            if encoder is None:
                return value  # type: ignore[no-any-return]
            reply = _reply(encoder, value, options.status)
            for header in options.sends:
                if text := header.value(value):
                    reply.headers[header.name] = text
            if location:
                reply.headers["Location"] = location(value)
            return reply

        call.operation = (view, signature, options)  # type: ignore[attr-defined]
        return call

    return decorate


def _arguments(signature: Signature, path: dict[str, str], options: Extras) -> dict[str, Any]:
    """Return the arguments of a view. Authentication comes first, the body last."""
    values: dict[str, Any] = {"actor": current_actor()} if signature.actor else {}
    if options.limit:
        rate_limits.spend(options.limit, values["actor"])
    values |= requests.read_path(signature.path, path)
    query = requests.read_query(signature.query)
    if query is not None:
        values["query"] = query
    if signature.headers:
        values["headers"] = requests.read_headers(signature.headers)
    if signature.body:
        values["body"] = requests.read_body(signature.body)
    return values


def _reply(encoder: Encoder, value: Any, status: int) -> Response:
    """Return the response, or 304 if the client has it already."""
    if status == 204:
        return _bare(204)
    body, tag = encoder.of(value)
    if not tag or request.method not in ("GET", "HEAD"):
        return Whole(body, status, mimetype=JSON)
    known = request.if_none_match.contains_weak(tag)
    reply = _bare(304) if known else Whole(body, status, mimetype=JSON)
    reply.headers.add("ETag", f'"{tag}"')
    reply.headers.add("Cache-Control", "private, no-cache")  # clients revalidate it every time
    return reply


def _bare(status: int) -> Response:
    reply = Whole(status=status)
    del reply.headers["Content-Type"]
    return reply


class Whole(Response):
    """A response whose headers are complete; werkzeug need not add any."""

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:  # noqa: ARG002
        return self.headers


class Encoder:
    """Encodes the responses of an operation, with their ETags."""

    def __init__(self, kind: Any, tagged: bool) -> None:
        self._adapter = TypeAdapter(kind)
        self._tagged = tagged
        self._last: tuple[Any, bytes, str] = (None, b"", "")

    def knows(self, value: Any) -> bool:
        """Return whether the client has this response already, by its If-None-Match."""
        return request.if_none_match.contains_weak(self.of(value)[1])

    def of(self, value: Any) -> tuple[bytes, str]:
        """Return the bytes and the ETag of a response ("": none).

        Raises PydanticSerializationError if the value does not have the annotated type. Requests
        that share a poll get the same frozen value, and so share its bytes.
        """
        known, body, tag = self._last
        if known is not value or value is None:
            data = self._adapter.dump_json(value, warnings="error")
            body = b'{"errCode":0,"data":' + data + b',"msg":""}'
            tag = hashlib.sha256(body).hexdigest()[:32] if self._tagged else ""
            if isinstance(value, Model):
                self._last = value, body, tag
        return body, tag
