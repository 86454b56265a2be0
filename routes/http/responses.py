"""Files and texts as replies: ranges, conditions, safe names, nothing that runs in our origin."""

from __future__ import annotations

import mimetypes
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from flask import Response, send_file
from werkzeug.exceptions import PreconditionFailed

from services.errors import NotFound
from services.results.service import Bundle

#: A report runs its own scripts in an origin of its own, and reaches nothing outside itself.
SANDBOX = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval';"
    " style-src 'unsafe-inline'; img-src data:; font-src data:"
)
#: Browsers show no PDF in a sandbox. In their own viewer nothing runs in our origin.
VIEWER = "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'"
PDF = "application/pdf"
BYTES = "application/octet-stream"
COMPRESSED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}


def download(path: Path, name: str, *, sha256: str | None = None, media: str = BYTES) -> Response:
    """A file to keep, under its name."""
    return _send(path, name, sha256, media, attachment=True)


def inline(path: Path, name: str, *, media: str) -> Response:
    """A file to look at: in a sandbox, whatever it holds, or in the browser's viewer for PDF."""
    reply = _send(path, name, None, media, attachment=False)
    reply.headers["Content-Security-Policy"] = VIEWER if media == PDF else SANDBOX
    return reply


def bundle(made: Bundle) -> Response:
    """A zip to keep; its bytes come into being on the way."""
    reply = Response(made.blocks, mimetype="application/zip")
    reply.content_length = made.size
    names = {"filename": made.name.encode("ascii", "replace").decode().replace("?", "_")}
    if not made.name.isascii():
        names["filename*"] = f"UTF-8''{quote(made.name, safe='')}"
    reply.headers.set("Content-Disposition", "attachment", **names)
    return reply


def text(path: Path) -> Response:
    """A log, from its beginning or in ranges. It may grow while it is read."""
    return _send(path, path.name, None, "text/plain", attachment=False)


def media_type(name: str) -> str:
    """What the name says a file is; compressed files are what they are compressed with."""
    kind, coding = mimetypes.guess_type(PurePosixPath(name).name)
    if coding:
        return COMPRESSED.get(coding, BYTES)
    return kind or BYTES


def _send(path: Path, name: str, etag: str | None, media: str, *, attachment: bool) -> Response:
    try:
        reply = send_file(
            path.absolute(),
            mimetype=media,
            as_attachment=attachment,
            download_name=PurePosixPath(name).name or "file",
            etag=etag or True,
        )
    except FileNotFoundError:
        raise NotFound("The content is gone.") from None
    if reply.status_code == 412:
        reply.close()
        raise PreconditionFailed
    reply.headers["Cache-Control"] = "private, no-cache"
    return reply
