"""Compression of responses with gzip, where it pays: text that is sent whole."""

from __future__ import annotations

import gzip

from flask import Flask, Response, request

MIN_BYTES = 2048  # below, compressing takes longer than it saves
MAX_BYTES = 16 * 1024 * 1024  # of a response that is held in memory
LEVEL = 5
TYPES = frozenset(
    {
        "application/json",
        "application/javascript",
        "application/ld+json",
        "application/xml",
        "image/svg+xml",
        "text/css",
        "text/csv",
        "text/html",
        "text/javascript",
        "text/plain",
        "text/tab-separated-values",
    }
)


def install(app: Flask) -> None:
    """Compress responses of an app."""
    app.after_request(compress)


def compress(reply: Response) -> Response:
    """Compress a whole response to GET for a client that accepts it.

    Ranges are those of the uncompressed content, so requests for them get it as it is.
    """
    if reply.mimetype not in TYPES or request.method != "GET" or reply.status_code != 200:
        return reply
    reply.headers.add("Vary", "Accept-Encoding")
    size = reply.content_length
    if size is None or not MIN_BYTES <= size <= MAX_BYTES:
        return reply
    if "Range" in request.headers or not request.accept_encodings["gzip"]:
        return reply
    reply.direct_passthrough = False
    reply.set_data(gzip.compress(reply.get_data(), LEVEL, mtime=0))
    reply.headers["Content-Encoding"] = "gzip"
    reply.headers.pop("Accept-Ranges", None)
    tag, _ = reply.get_etag()
    if tag:  # the same content in other bytes
        reply.set_etag(tag, weak=True)
    return reply
