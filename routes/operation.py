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
from typing import Any

from flask import Response, request
from pydantic import TypeAdapter

from routes import rates, reading
from routes.context import current_actor
from routes.describe import Extras, Signature, is_tagged
from services.errors import Invalid

View = Callable[..., Any]


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
        adapter = None if signature.raw else TypeAdapter(signature.reply)

        # flasgger would parse the docstring once more if it were passed on
        @functools.wraps(view, assigned=("__module__", "__name__", "__qualname__"))
        def call(**path: str) -> Response:
            given = _given(signature, path, said)
            try:
                value = view(**given)
            except Invalid as error:
                if type(error) is Invalid:
                    raise reading.renamed(error, signature.query) from error
                raise
            if adapter is None:
                return value  # type: ignore[no-any-return]
            reply = _reply(adapter, value, said)
            if tagged and request.method in ("GET", "HEAD"):
                _tag(reply)
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
        rates.spend(said.limit, given["actor"])
    given |= reading.read_path(signature.path, path)
    query = reading.read_query(signature.query)
    if query is not None:
        given["query"] = query
    if signature.headers:
        given["headers"] = reading.read_headers(signature.headers)
    if signature.body:
        given["body"] = reading.read_body(signature.body)
    return given


def _reply(adapter: TypeAdapter[Any], value: Any, said: Extras) -> Response:
    if said.status == 204:
        reply = Response(status=204)
        del reply.headers["Content-Type"]
    else:
        reply = Response(_envelope(adapter, value), said.status, mimetype="application/json")
    for header in said.sends:
        if text := header.value(value):
            reply.headers[header.name] = text
    return reply


def _tag(reply: Response) -> None:
    """Name the answer by its bytes, and leave them out for who has them already."""
    reply.set_etag(hashlib.sha256(reply.get_data()).hexdigest()[:32])
    reply.headers["Cache-Control"] = "private, no-cache"  # kept, but asked for every time
    if request.if_none_match.contains_weak(reply.get_etag()[0] or ""):
        reply.status_code = 304
        reply.set_data(b"")
        del reply.headers["Content-Type"], reply.headers["Content-Length"]


def _envelope(adapter: TypeAdapter[Any], value: Any) -> bytes:
    """A reply's bytes. A value that is not of the promised type is an error of ours."""
    return b'{"errCode":0,"data":' + adapter.dump_json(value, warnings="error") + b',"msg":""}'
